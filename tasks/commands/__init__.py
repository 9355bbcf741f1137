"""The commands behind scripts/audit, client, hashes, labels, moderator, plan and rules.

Open ``command.py`` first: connecting, tables and JSON. Each script has a file of its name;
``capacity_planning.py`` holds the arithmetic of scripts/plan, which the benches use too.
"""
