"""Client pages: policy, webhook, keys, and webhook deliveries.

Open ``pages.py`` first. ``deliveries.py`` lists and resends webhook calls.
"""
