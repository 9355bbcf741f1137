"""Pages for operators: alerts, audit, settings, statistics.

Open ``alerts.py`` first. ``audit_wording.py`` turns an audit row into a sentence.
"""
