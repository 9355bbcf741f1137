"""The dashboard: depth, mode, wait, workers, health and limits, live.

Open ``pages.py`` first. ``live_fragments.py`` renders what the event stream sends.
"""
