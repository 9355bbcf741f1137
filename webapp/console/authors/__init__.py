"""Author pages: record, strikes, suspension, erasure and export.

Open ``pages.py`` first. ``erasure.py`` serves administrators.
"""
