"""Alerts: take readings, begin and end alerts, send notices.

Open ``alerting.py`` first. ``database_outage.py`` covers the one alert that cannot be stored while
it lasts. The rules themselves are in ``models/alerts``.
"""
