"""Sends one message by Apprise: ``python -m tasks.alerts.notify``, which reads it as JSON.

``url``, ``title``, ``body`` and ``type`` come on standard input, because the address is a secret
that a command line would show. Exits with 0, or with 1 and the reason as one line.
"""

from __future__ import annotations

import json
import logging
import re
import sys

import apprise

LOG_FORMAT = "%(message)s"


def main() -> None:
    """Send the message from standard input."""
    message = json.load(sys.stdin)
    outcome = send(message["url"], message["title"], message["body"], message["type"])
    if outcome:
        print(outcome)
        raise SystemExit(1)


def send(url: str, title: str, body: str, kind: str) -> str:
    """Send a message; returns the reason if it fails, without secrets, else ""."""
    with apprise.LogCapture(level=logging.WARNING, fmt=LOG_FORMAT) as captured:
        sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Sluice", app_desc="Sluice"))
        if not sender.add(url):
            return "is not an address that Apprise supports"
        if sender.notify(title=title, body=body, notify_type=kind):
            return ""
        lines = captured.getvalue().strip().splitlines()
    return without_secrets(lines[-1] if lines else "was refused", url)


def without_secrets(text: str, url: str) -> str:
    """The text with every word of the address masked, except the scheme and the host."""
    _, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2]
    secrets = {part for part in re.split(r"[^\w.-]+", rest) if len(part) > 3}
    for secret in sorted(secrets - set(re.split(r"[^\w.-]+", host)), key=len, reverse=True):
        text = text.replace(secret, "••••••")
    return text


if __name__ == "__main__":
    main()
