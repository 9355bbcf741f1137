"""Sends one message by Apprise: ``python -m tasks.alerts.notify``, which reads it as JSON.

``url``, ``title``, ``body`` and ``type`` come on standard input, since the address is a secret
that a command line would show. Exits with 0, or with 1 and why in a line.
"""

from __future__ import annotations

import json
import logging
import re
import sys

import apprise

CLOCK_AND_LEVEL = "%(message)s"


def main() -> None:
    """Send what is read."""
    asked = json.load(sys.stdin)
    outcome = send(asked["url"], asked["title"], asked["body"], asked["type"])
    if outcome:
        print(outcome)
        raise SystemExit(1)


def send(url: str, title: str, body: str, kind: str) -> str:
    """Send a message; returns why it could not be sent, without what is secret, or nothing."""
    with apprise.LogCapture(level=logging.WARNING, fmt=CLOCK_AND_LEVEL) as told:
        sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Sluice", app_desc="Sluice"))
        if not sender.add(url):
            return "is no address that Apprise knows"
        if sender.notify(title=title, body=body, notify_type=kind):
            return ""
        lines = told.getvalue().strip().splitlines()
    return without_secrets(lines[-1] if lines else "was refused", url)


def without_secrets(text: str, url: str) -> str:
    """The text with every word of the address after its scheme masked, but for the host."""
    _, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2]
    secrets = {part for part in re.split(r"[^\w.-]+", rest) if len(part) > 3}
    for secret in sorted(secrets - set(re.split(r"[^\w.-]+", host)), key=len, reverse=True):
        text = text.replace(secret, "••••••")
    return text


if __name__ == "__main__":
    main()
