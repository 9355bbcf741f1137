"""``scripts/hashes``."""

from __future__ import annotations

import argparse

from models.audit import Audit
from models.db import db
from models.errors import Invalid
from models.known_hash import KnownHash
from tasks.admin import command
from tasks.hashing import pdq, sha256_file
from tasks.pictures import Limits, PictureError, read

COLUMNS = ("kind", "hash", "action")


def imported(arguments: argparse.Namespace) -> None:
    """Make the hashes of a file known."""
    rows = command.read_rows(arguments.file, COLUMNS)
    with db.atomic():
        for number, row in enumerate(rows, 1):
            try:
                code = bytes.fromhex(row["hash"])
            except ValueError as error:
                raise Invalid(f"{arguments.file}: row {number} is not hexadecimal.") from error
            label, note = row.get("label") or "other", row.get("note") or ""
            KnownHash.put(row["kind"], code, row["action"], label, note=note)
        Audit.append("hashes.import", arguments.file, count=len(rows), by="scripts/hashes")
    print(f"{len(rows)} hashes imported")


def add(arguments: argparse.Namespace) -> None:
    """Make a picture known by its bytes and by its look."""
    try:
        picture = read(arguments.picture, Limits())
    except PictureError as error:
        raise Invalid(f"{arguments.picture}: {error}") from error
    code, quality = pdq(picture.preview)
    with db.atomic():
        exact = bytes.fromhex(sha256_file(arguments.picture))
        for kind, known in (("sha256", exact), ("pdq", code)):
            KnownHash.put(kind, known, arguments.action, arguments.label, note=arguments.picture)
        Audit.append("hashes.add", arguments.picture, to=arguments.action)
    print(f"{arguments.action}: sha256 and pdq {code.hex()} (quality {quality})")


def exported(arguments: argparse.Namespace) -> None:
    """Print the bank."""
    names = (*COLUMNS, "label", "note")
    rows = [
        (row.kind, bytes(row.hash).hex(), row.action, row.label, row.note)
        for row in KnownHash.select().order_by(KnownHash.id)
    ]
    if arguments.json:
        command.show([dict(zip(names, row, strict=True)) for row in rows], as_json=True)
    else:
        command.write_csv(names, rows)


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("hashes")
    verb = verbs.add_parser("import", add_help=False)
    verb.add_argument("file", metavar="FILE")
    verb.set_defaults(act=imported)
    verb = verbs.add_parser("add", add_help=False)
    verb.add_argument("picture", metavar="PICTURE")
    verb.add_argument("--action", choices=("block", "allow"), required=True)
    verb.add_argument("--label", default="other")
    verb.set_defaults(act=add)
    verb = verbs.add_parser("export", add_help=False)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(act=exported)
    command.run(made)


if __name__ == "__main__":
    main()
