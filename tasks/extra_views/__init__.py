"""Extra views of a picture that the network may misjudge: parts of it, turned, mirrored, inverted.

Open ``look_closer.py`` first: which views are scored and what they may cause. ``geometry.py`` finds
the parts of a picture that is made of several.
"""
