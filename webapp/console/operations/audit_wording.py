"""Wording of audit entries: a sentence for the act, ``before → after`` for each change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WORDS = {
    "decide": "decided",
    "undo": "undid a decision on",
    "escalate": "asked for a second opinion on",
    "recheck": "sent back to the checks, by undoing a block,",
    "recall": "recalled the request for a second opinion on",
    "client.create": "added the client",
    "client.change": "changed the client",
    "client.suspend": "suspended the client",
    "client.resume": "resumed the client",
    "add_client": "added the client",
    "add_moderator": "joined as",
    "key.issue": "issued a key to",
    "key.rotate": "rotated the keys of",
    "key.revoke": "revoked a key of",
    "webhook_secret.rotate": "rotated the webhook secret of",
    "webhook.disable": "switched off, after status 410, the webhook of",
    "webhook.enable": "switched on the webhook of",
    "webhook.test": "sent a test event to",
    "invite.create": "created an invitation for a new",
    "invite.revoke": "revoked an invitation for a new",
    "moderator.create": "created the account",
    "moderator.role": "changed the role of",
    "moderator.disable": "disabled",
    "moderator.enable": "enabled",
    "moderator.reset": "reset the password of",
    "moderator.revoke": "disabled",
    "password.change": "changed their password:",
    "password.choose": "chose a new password:",
    "second_step.on": "turned their second step on:",
    "second_step.off": "turned their second step off:",
    "second_step.remove": "removed the second step of",
    "recovery_code.use": "signed in with a recovery code:",
    "recovery_code.renew": "created new recovery codes:",
    "session.end": "signed a browser out:",
    "session.end_others": "signed their other browsers out:",
    "preferences.change": "changed their preferences:",
    "delivery.resend": "resent a delivery:",
    "delivery.resend_dead": "resent dead deliveries of",
    "author.suspend": "suspended the author",
    "author.unsuspend": "ended the suspension of the author",
    "author.premium": "gave premium to the author",
    "author.end_premium": "ended premium of the author",
    "appeal.ask": "forwarded the author's appeal against",
    "author.export": "exported all data about the author",
    "author.erase": "erased an author, now called",
    "submission.erase": "erased the submission",
    "submissions.export": "exported submissions:",
    "limit.lower": "lowered the adaptive limit of",
    "limit.lift": "restored the limit of",
    "rules.import": "imported rules from",
    "rules.language_on": "switched on the rules of",
    "rules.language_off": "switched off the rules of",
    "rules.sort": "sorted by language the",
    "hashes.import": "imported known images from",
    "hashes.add": "added a known image:",
    "policy.apply": "changed the policy of",
    "label.add": "added the label",
    "label.change": "changed the label",
    "label.move": "moved the label",
    "label.retire": "retired the label",
    "label.restore": "restored the label",
    "workers.scale": "scaled the workers of",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One detail of an act: a name, and a value or the values before and after."""

    name: str
    after: str
    before: str | None = None

    def __str__(self) -> str:
        value = self.after if self.before is None else f"{self.before} → {self.after}"
        return f"{self.name} {value}".strip()


def words(action: str) -> str:
    """The act as a verb phrase before its subject; an unknown act by its own name."""
    return WORDS.get(action) or action.replace("_", " ").replace(".", ": ")


def parts(details: Mapping[str, Any] | None) -> list[Part]:
    """The details of an act, changes first."""
    return list(_parts(details or {}))


def address(action: str, subject: str) -> str | None:
    """The URL of the subject of an act if it is a delivery or submission, else None."""
    if not UUID.fullmatch(subject):
        return None
    if action.startswith("delivery."):
        return url_for("deliveries.one", delivery_id=subject)
    return url_for("submissions.show", submission_id=subject)


def _parts(details: Mapping[str, Any]) -> Iterator[Part]:
    if "after" in details or "before" in details:
        after = _shown(details["after"]) if "after" in details else "nothing"
        yield Part("", after, _shown(details.get("before")))
    changes = details.get("changes")
    if isinstance(changes, Mapping):
        for name, pair in changes.items():
            before, after = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
            yield Part(_name(name), _shown(after), _shown(before))
    for name, value in details.items():
        if name in ("before", "after") or (name == "changes" and isinstance(changes, Mapping)):
            continue
        if value not in ("", None):
            yield Part(_name(name), _shown(value))


def _name(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(str(k))} {_shown(v)}" for k, v in value.items())
    text = str(value)
    return text if len(text) <= 300 else text[:299] + "…"
