"""The server's data and decisions: tables, domain rules and pure calculations.

Imports go one way: ``webapp`` imports ``tasks`` and ``models``, ``tasks`` imports ``models``, and
``models`` imports neither. This package has no HTTP and decodes no pictures. The only
server it talks to is PostgreSQL. Start with ``submissions/submission.py``, the table of uploads,
and ``verdict.py``, which turns findings into a verdict.
"""
