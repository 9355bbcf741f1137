"""Review by people: the queue and its leases, decisions, undo, groups, workload.

Open ``claims.py`` first: which flags a moderator gets, in what order, and for how long.
``decide.py`` holds approve, reject and escalate, ``block.py`` and ``undo.py`` the rest, and
``eligibility.py`` who may not decide a flag.
"""
