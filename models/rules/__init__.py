"""Rules for the texts of uploads: table, list, import and export, dry run, starter list.

Open ``rule.py`` first: the table, and ``check_text``. The matching engine is the package
``matcher``.
"""
