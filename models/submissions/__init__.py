"""Uploads, their pictures, what the checks found in them, and search over all of these.

Open ``submission.py`` first: one row an upload, its statuses, and the lease that a worker holds
while it works on it. Search is in ``search.py``.
"""
