"""``scripts/rules``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models import rule_sheet, sheet
from models.rule import FACTS, Rule
from tasks.admin import command


def imported(arguments: argparse.Namespace) -> None:
    """Add and change rules from a file, all or none."""
    rows = sheet.read(Path(arguments.file).read_text("utf-8-sig"), rule_sheet.COLUMNS)
    made = rule_sheet.load(rows, arguments.file, by="scripts/rules")
    print(
        f"{len(rows)} rules imported: {len(made.added)} added,"
        f" {len(made.changed)} changed, {made.same} as they were"
    )


def exported(arguments: argparse.Namespace) -> None:
    """Print all rules."""
    query = Rule.select().where(Rule.removed_at.is_null()).order_by(Rule.kind, Rule.pattern)
    write = sheet.as_json if arguments.json else sheet.as_csv
    sys.stdout.write(write(FACTS, rule_sheet.export(query)))


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
