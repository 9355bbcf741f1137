"""Untrusted pictures, decoded in a child process of the worker.

Open ``decoder.py`` first: the worker's side. ``decoder_process.py`` is the child, which must stay
small: this package itself imports nothing.
"""
