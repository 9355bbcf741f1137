"""The pipeline of one submission in a worker: claim, decode, check, verdict, commit.

Open ``pipeline.py`` first, then ``checks.py``: the checks in their order. Leases, caches, batches
and group commit have files of their own beside it.
"""
