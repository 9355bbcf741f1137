"""Retention, purge, erasure and export of personal data.

Open ``retention.py`` first: what is due for deletion. ``purge.py`` deletes a submission's content
in one statement, ``erasure.py`` does it on request, ``file_removal.py`` lists the files still to
delete.
"""
