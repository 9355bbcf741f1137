"""Pages of text rules and known images: lists, editors, dry run, import and export.

Open ``pages.py`` first for rules, ``known_images.py`` for the hash bank.
"""
