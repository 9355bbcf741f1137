"""Upload rate limits: author, address, client, all.

Open ``limits.py`` first. ``redis_windows.py`` counts sliding windows in Redis in one round trip.
"""
