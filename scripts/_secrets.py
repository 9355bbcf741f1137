"""Fails if a file contains what looks like a secret and is not in .secrets.baseline.

It reads file names from standard input, each ended by a NUL. The baseline is in the format of
detect-secrets; every entry was checked and is not a secret. Add a new false positive with
``detect-secrets scan --baseline .secrets.baseline``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

BASELINE = Path(".secrets.baseline")


def main() -> int:
    known = json.loads(BASELINE.read_text("utf-8"))
    passed = {
        (name, entry["hashed_secret"])
        for name, entries in known["results"].items()
        for entry in entries
    }
    found = SecretsCollection()
    with transient_settings(known):
        for name in sorted(filter(None, sys.stdin.read().split("\0"))):
            found.scan_file(name.removeprefix("./"))
    new = [secret for _, secret in found if (secret.filename, secret.secret_hash) not in passed]
    for secret in new:
        print(f"{secret.filename}:{secret.line_number}: looks like a secret ({secret.type})")
    if not new:
        print("No secrets in the tree.")
    return int(bool(new))


if __name__ == "__main__":
    raise SystemExit(main())
