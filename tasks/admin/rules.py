"""``scripts/rules``."""

from __future__ import annotations

import argparse

from models.audit import Audit
from models.db import db
from models.rule import Rule
from tasks.admin import command

COLUMNS = ("kind", "pattern", "action", "label")
OFF = ("0", "false", "no", "off")


def imported(arguments: argparse.Namespace) -> None:
    """Add and change rules from a file."""
    rows = command.read_rows(arguments.file, COLUMNS)
    with db.atomic():
        count = Rule.put(
            (
                (*(row[name] for name in COLUMNS), str(row.get("active", "1")).lower() not in OFF)
                for row in rows
            ),
            source="import",
        )
        Audit.append("rules.import", arguments.file, count=count, by="scripts/rules")
    print(f"{count} rules imported")


def exported(arguments: argparse.Namespace) -> None:
    """Print all rules."""
    columns = (Rule.kind, Rule.pattern, Rule.action, Rule.label, Rule.active)
    names = (*COLUMNS, "active")
    rows = list(Rule.select(*columns).order_by(Rule.kind, Rule.pattern).tuples())
    if arguments.json:
        command.show([dict(zip(names, row, strict=True)) for row in rows], as_json=True)
    else:
        command.write_csv(names, ((*row[:4], int(row[4])) for row in rows))


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("rules")
    verb = verbs.add_parser("import", add_help=False)
    verb.add_argument("file", metavar="FILE")
    verb.set_defaults(act=imported)
    verb = verbs.add_parser("export", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=exported)
    command.run(made)


if __name__ == "__main__":
    main()
