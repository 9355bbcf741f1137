"""Alert rules, their evaluation over time, and the outbox of notices.

Open ``rules.py`` first: each alert with its threshold and text. ``evaluate.py`` decides when an
alert starts and ends; ``tasks/alerts`` collects readings and sends the notices.
"""
