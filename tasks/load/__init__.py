"""The load of the running server: depth, mode, workers, health, the adaptive limit.

Open ``snapshot.py`` first: one reading of everything. ``adaptive_limit.py`` lowers limits while
the server is overloaded; ``prometheus.py`` answers ``/metrics``.
"""
