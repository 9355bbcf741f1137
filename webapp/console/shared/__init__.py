"""What the console's pages share: cards, formatting, list filters, media, live events.

Open ``cards.py`` first: one submission as a page shows it. ``formatting.py`` has the template
filters, ``live.py`` the server-sent events.
"""
