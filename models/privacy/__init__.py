"""Retention, purge, erasure and export of personal data.

Open ``retention.py`` first: what is past its retention time. ``purge.py`` deletes a submission's
content in one statement, ``erasure.py`` does it on request, ``file_removal.py`` lists the files
still to delete.
"""
