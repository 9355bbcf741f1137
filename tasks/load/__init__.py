"""The load of the running server: depth, mode, workers, health, adaptive limits.

Open ``snapshot.py`` first: one reading of everything. ``adaptive_limits.py`` lowers limits while
the server is overloaded; ``prometheus.py`` answers ``/metrics``.
"""
