"""Policies: by client and surface, with versions. They turn scores into verdicts.

Open ``policy.py`` first: the tables, and what administrators do. ``document.py`` is one version's
content and how it inherits, ``policy_index.py`` what every process reads: the effective policy of
a client's surface, cached.
"""
