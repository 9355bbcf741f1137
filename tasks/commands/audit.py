"""``scripts/audit``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from models.audit import hash_chain
from models.audit.hash_chain import Check
from models.database import roles
from models.database.connection import db
from models.errors import Invalid
from tasks.commands import command


def verify(arguments: argparse.Namespace) -> None:
    """Verify the chain, compare it with the decisions, and report excess rights of this role."""
    expected = arguments.expect or ""
    if expected and (
        len(expected) != 64 or not all(c in "0123456789abcdefABCDEF" for c in expected)
    ):
        raise Invalid("--expect must be a head: 64 hexadecimal digits")
    result = hash_chain.check(expected)
    result.faults += hash_chain.check_decisions() + hash_chain.check_guards()
    excess = roles.excess()
    if arguments.json:
        print(json.dumps(_report(result, excess), indent=2))
    else:
        _show(result, excess)
    if not result.is_intact:
        sys.exit(1)


def _report(result: Check, excess: list[str]) -> dict[str, Any]:
    return {
        "whole": result.is_intact,
        "rows": result.rows,
        "head": result.head,
        "first_broken": result.broken,
        "faults": result.faults,
        "one_role": bool(excess),
        "application_may": excess,
    }


def _show(result: Check, excess: list[str]) -> None:
    print(f"rows  {result.rows:,}")
    print(f"head  {result.head}")
    if result.broken is not None:
        print(f"the chain breaks at row {result.broken}")
    for fault in result.faults:
        print(fault)
    if excess:
        print(
            "the application uses the owner's database role, so it can bypass the audit's triggers;"
            " set DATABASE_OWNER_URL to separate the two"
        )
    print("whole" if result.is_intact else "NOT whole")


def exported(arguments: argparse.Namespace) -> None:
    """Print every row with its position and digest, one JSON object per line."""
    with db.atomic():
        db.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.execute_sql("SET LOCAL statement_timeout = 0")
        for link in hash_chain.links():
            at, moderator, action, subject, details = link.facts
            row = {
                "place": link.place,
                "id": link.audit_id,
                "at": at.isoformat() if at else None,
                "moderator": moderator,
                "action": action,
                "subject": subject,
                "details": details,
                "digest": link.digest.hex(),
                "digested": link.line,
            }
            print(json.dumps(row))


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("audit")
    verb = verbs.add_parser("verify", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.add_argument("--expect", metavar="HEAD")
    verb.set_defaults(act=verify)
    verb = verbs.add_parser("export", add_help=False)
    verb.set_defaults(act=exported)
    command.run(made)


if __name__ == "__main__":
    main()
