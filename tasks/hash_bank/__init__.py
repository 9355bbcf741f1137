"""Hashes of pictures (SHA-256 and PDQ), and the search for near ones.

Open ``hashing.py`` first. ``pdq.py`` computes the perceptual hash, ``request_hash.py`` asks a
worker to hash a known image.
"""
