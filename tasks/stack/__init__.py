"""Running a whole stack: what the scripts up, down, restart, scale, run and status do.

Open ``up.py`` first: the order in which everything starts. The servers' configurations and
processes are in ``tasks/servers``.
"""
