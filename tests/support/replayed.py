"""Run inside a stack's environment: 5,000 uploads judged as workers do, then replayed; prints JSON.

The uploads have every kind of finding, three surfaces, and scores on and beside the thresholds.
"""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from models.clients.client import Client
from models.database import connection
from models.database.connection import db, rows_sql
from models.policies import replay
from models.settings import Settings, use_settings
from models.submissions.finding import COLUMNS, rows
from models.verdict import Finding, Judgement, Policy, Thresholds, judge, sample_of

UPLOADS = 5000
MARKS = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0]
SURFACES = ["", "avatar", "listing"]
STATED = ["rules", "known_hashes", "duplicates", "pictures", "failure", "shadow"]
SUBMISSION = (
    "INSERT INTO submission (id, client_id, user_id, priority, mode, status, verdict, visible,"
    " idempotency_key, fingerprint, surface, decided_at)"
    " VALUES (%s, %s, 'a', 'normal', 'sync', 'decided', %s, false, %s, '', %s, now())"
)
PERSON = (
    "INSERT INTO moderator (name, role, password_hash) VALUES (%s, 'moderator', '') RETURNING id"
)
DECISION = (
    "INSERT INTO decision (submission_id, moderator_id, from_verdict, to_verdict)"
    " VALUES (%s, %s, 'review', %s)"
)
draw = random.Random(4)


def score() -> float:
    """A score as the network gives it, in four bytes."""
    number = draw.choice([draw.random(), draw.choice(MARKS)])
    return float(struct.unpack("f", struct.pack("f", number))[0])


def scored() -> Finding:
    evidence = {"sure": score()} if draw.random() < 0.3 else {}
    value = None if draw.random() < 0.05 else score()
    return Finding("classifier", "nudity", "review", value, None, evidence)


def stated() -> Finding:
    check, label = draw.choice(STATED), draw.choice(["scam", "nudity", "other"])
    action = "note" if check == "shadow" else draw.choice(["reject", "review", "allow", "note"])
    return Finding(check, label, action, score() if check == "duplicates" else None)


def policy() -> Policy:
    low, high = sorted(draw.choice(MARKS) for _ in range(2))
    parts = draw.choice([(low, high), (low, None), (None, high), (None, None)])
    return Policy({"nudity": Thresholds(*parts)}, draw.choice([0.0, 0.1, 0.5]))


def store(client: Client, number: UUID, surface: str, first: Judgement) -> None:
    db.execute_sql(SUBMISSION, (number, client.id, first.verdict, str(number), surface))
    parameters: list[Any] = []
    values = rows_sql(COLUMNS, rows(number, first.findings, {}), parameters)
    if values:
        db.execute_sql(f"INSERT INTO finding ({', '.join(COLUMNS)}) {values}", parameters)


def decide(live: dict[UUID, tuple[str, str]]) -> dict[UUID, str]:
    """People decide every seventh upload, by chance."""
    person = db.execute_sql(PERSON, (f"replay {uuid4().hex}",)).fetchone()[0]
    people = {number: draw.choice(["approved", "rejected"]) for number in list(live)[::7]}
    for number, verdict in people.items():
        db.execute_sql(DECISION, (number, person, verdict))
    return people


def main() -> None:
    connection.connect(use_settings(Settings.load()), pool=2)
    before, after = ({name: policy() for name in SURFACES} for _ in range(2))
    live: dict[UUID, tuple[str, str]] = {}
    judged = []
    for _ in range(UPLOADS):
        findings = [draw.choice([scored, stated])() for _ in range(draw.choice([0, 0, 1, 1, 2, 3]))]
        surface, number = draw.choice(SURFACES), uuid7()
        again = [replace(found) for found in findings]
        first = judge(findings, before[surface], sample=sample_of(number))
        second = judge(again, after[surface], sample=sample_of(number))
        live[number] = first.verdict, second.verdict
        judged.append((number, surface, first))
    with connection.connection():
        client = Client.add(f"replay {uuid4().hex}")
        with db.atomic():
            for number, surface, first in judged:
                store(client, number, surface, first)
            people = decide(live)
        gone = uuid7()  # its content was deleted after its time, and its findings with it
        store(client, gone, "", Judgement("rejected", (), None))
        db.execute_sql("UPDATE submission SET purged_at = now() WHERE id = %s", (gone,))
        of = (lambda _, surface: before[surface]), (lambda _, surface: after[surface])
        items = replay.items(*of, client.id, "", 2 * UPLOADS)
        found = replay.replay(*of, client.id, "", 2 * UPLOADS)
        part = replay.items(*of, client.id, "avatar", 2 * UPLOADS)
    flips = Counter(pair for pair in live.values() if pair[0] != pair[1])
    bad = {number for number, verdict in people.items() if verdict == "rejected"}
    flagged = {number for number in people if live[number][1] != "approved"}
    told = {
        "wrong": [[str(n), live[n], items.get(n)] for n in live if items.get(n) != live[n]][:5],
        "total": [len(items), found.total],
        "changed": [sum(found.flips.values()), flips.total(), found.flips == flips],
        "missed": [found.after.missed, (len(bad - flagged), len(bad))],
        "flagged": [found.after.flagged, (len(bad & flagged), len(flagged))],
        "avatar": [len(part), sum(surface == "avatar" for _, surface, _ in judged)],
        "examples": [len(found.examples), all(live[n] == (a, b) for n, a, b in found.examples)],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
