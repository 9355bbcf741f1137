"""Load decisions as pure functions: mode, wait, autoscaling, the adaptive limit.

Open ``mode.py`` first: it chooses sync, async, fast_track or direct from the queue depth. Nothing
here reads a clock, Redis or the database; ``tasks/load`` passes in the readings.
"""
