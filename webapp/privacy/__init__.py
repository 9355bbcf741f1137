"""Erasure and author export, shared by the API and the console.

Open ``erase.py`` first. ``author_download.py`` streams all that is held about an author.
"""
