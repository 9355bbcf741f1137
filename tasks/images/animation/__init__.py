"""Compositing the frames of GIF and APNG as browsers do, and the distinct looks of an animation.

Open ``canvas.py`` first. ``gif.py`` and ``apng.py`` cut a file into frames; ``../frames.py``
decodes them within the limits.
"""
