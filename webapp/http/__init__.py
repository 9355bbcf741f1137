"""Shared by all requests: errors, health, metrics, timing, traces, thread offload.

Open ``errors.py`` first: the one place where an error gets its HTTP status and format.
"""
