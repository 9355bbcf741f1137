"""Sample traffic for ``scripts/demo``: a varied stream of real uploads.

Open ``__main__.py`` first. ``uploads.py`` makes the stream, ``sender.py`` sends it.
"""
