"""Uploads, their pictures, the checks' findings, and search over all of these.

Open ``submission.py`` first: one row per upload, its statuses, and the lease that a worker holds
while it processes it. Search is in ``search.py``.
"""
