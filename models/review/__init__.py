"""Review by people: the queue and its leases, decisions, undo, groups, workload.

Open ``claims.py`` first: which flags a moderator gets, in what order, and for how long.
``decide.py`` holds approve, reject, block, escalate and undo.
"""
