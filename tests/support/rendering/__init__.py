"""The render oracle: what Chromium paints of a file, compared with the views that are scored.

Open ``corpus.py`` first, to add files; ``python -m tests.support.rendering`` prints the table.
"""
