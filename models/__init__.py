"""What the server knows and decides: tables, rules of the domain and pure calculations.

Imports go one way: ``webapp`` imports ``tasks`` and ``models``, ``tasks`` imports ``models``, and
``models`` imports neither. This package speaks no HTTP, decodes no picture and waits for no
network but PostgreSQL's. Start with ``submissions/submission.py``, the table of uploads, and
``verdict.py``, which turns findings into a verdict.
"""
