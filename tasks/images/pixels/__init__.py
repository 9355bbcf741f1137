"""Decoded pixels: their colours in sRGB, the transparent colour of a PNG, damage in a JPEG's data.

Open ``color.py`` first. Nothing here knows of files or limits.
"""
