"""The append-only audit log and its hash chain.

Open ``log.py`` first: who did what, when. ``hash_chain.py`` recomputes every digest and reports
the first row that was changed, removed or inserted.
"""
