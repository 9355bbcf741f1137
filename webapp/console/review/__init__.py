"""Review pages: single flags, the list, and groups.

Open ``pages.py`` first. ``claimed.py`` holds the flags that a moderator has claimed.
"""
