"""Upload rate limits: per author, address and client, and for all clients combined.

Open ``limits.py`` first. ``redis_windows.py`` counts sliding windows in Redis in one round trip.
``network.py`` says what counts of an address, for these limits and for sign-ins.
"""
