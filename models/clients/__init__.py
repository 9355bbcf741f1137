"""The sites that send uploads: their policies and their API keys.

Open ``client.py`` first. ``validation.py`` checks the fields of a client.
"""
