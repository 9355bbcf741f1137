"""Known images to block or to allow, by SHA-256 and by perceptual hash (PDQ).

Open ``known_hash.py`` first: the table and the exact check. ``tasks/hash_bank`` computes the
hashes and searches for near ones.
"""
