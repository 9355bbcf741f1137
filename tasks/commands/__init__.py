"""The commands behind scripts/audit, client, hashes, moderator, plan and rules.

Open ``command.py`` first: connecting, error lines, tables and JSON. Each script has a file of its
name.
"""
