"""What the standby process does on a clock: sweep, retention, rollups.

Open ``sweep.py`` first: it requeues stranded submissions and deletes orphaned files.
``standby.py`` in ``tasks`` calls all three.
"""
