"""Shared by the console's pages: cards, formatting, list filters, media, live events.

Open ``cards.py`` first: the view of one submission. ``formatting.py`` has the template
filters, ``live.py`` the server-sent events.
"""
