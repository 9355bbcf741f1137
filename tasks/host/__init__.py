"""Memory and disk of this machine or its container.

Open ``resources.py`` first. ``malloc_trim.py`` returns freed memory to the system.
"""
