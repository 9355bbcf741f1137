"""Heatmaps: where in a picture the classifier saw what it scored.

Open ``draw.py`` first: it draws and stores them. ``activation_map.py`` has the mathematics.
"""
