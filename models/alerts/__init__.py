"""Alert rules, their evaluation over time, and the outbox of notices.

Open ``rules.py`` first: each alert with its threshold and text. ``evaluate.py`` says when an alert
begins and ends; ``tasks/alerts`` reads the server and sends the notices.
"""
