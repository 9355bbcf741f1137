"""Configurations and processes of nginx, PostgreSQL, Redis and the supervisor.

Open ``layout.py`` first: folders, secrets and environments. ``configs.py`` writes the
configuration files, ``procfile.py`` reads the Procfile.
"""
