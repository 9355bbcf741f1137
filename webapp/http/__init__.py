"""Shared by all requests: errors, health, metrics, timing, traces, thread offload.

Open ``errors.py`` first: the one place where an error gets its HTTP status and format.
``body_limits.py`` has the size of a request's body for each view.
"""
