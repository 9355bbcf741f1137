"""What `scripts/faults` compares afterwards: ids, states, decisions, files and deliveries."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models.settings import ROOT
from scripts._own_stack import Stack
from scripts.trials.client import Sent
from scripts.trials.receiver import Receiver
from tasks import storage

OPEN = ("received", "queued", "processing")
ROWS = """
SELECT s.id::text, s.status, s.verdict, s.review_owed, s.external_id, (
    SELECT json_agg(json_build_array(d.from_verdict, d.to_verdict) ORDER BY d.id)
    FROM decision d WHERE d.submission_id = s.id AND d.moderator_id IS NULL)
FROM submission s
"""
ANY_AGE = 3600.0  # seconds; a file that is written now is older than this, negated
FILES = "SELECT submission_id::text, storage_key, encode(sha256, 'hex') FROM image"
# The sweep's own step, on files that are made to look old enough to be deleted.
SWEEP = """
import os, pathlib, sys
from models.database.connection import connect, connection
from models.settings import Settings, use_settings
from tasks.maintenance import sweep
sweep.ORPHANED_AFTER = float(sys.argv[1])
connect(use_settings(Settings.load()), pool=2)
with connection():
    sweep.remove_orphans()
    print(sweep.remove_orphans())
"""


@dataclass
class Comparison:
    """The state of the acknowledged uploads; each list contains job ids, files or uploads."""

    lost: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def broken(self) -> Iterator[str]:
        """The broken promises, as sentences."""
        for name, promise in PROMISES.items():
            found = getattr(self, name)
            if found:
                yield f"{promise}: {len(found)}, such as {found[0]}"


PROMISES = {
    "lost": "acknowledged, but there is no such row",
    "open": "acknowledged, but not decided in time",
    "twice": "decided more than once by the machine",
    "wrong": "a verdict that the checks cannot give",
    "doubled": "one upload, but several submissions",
    "missing": "a file of a row is missing or has other bytes",
    "orphans": "a file that no row owns is left after the sweep",
    "unheard": "decided, but its event never arrived",
    "renamed": "one event under several webhook ids",
}


def undecided(stack: Stack, sent: Sent) -> int:
    """The number of acknowledged submissions that are not decided."""
    rows = stack.query(
        "SELECT id::text FROM submission WHERE status IN ('received', 'queued', 'processing')"
    )
    return sum(row[0] in sent.acknowledged for row in rows)


def owed(stack: Stack) -> int:
    """The number of pending deliveries."""
    return int(stack.query("SELECT count(*) FROM delivery WHERE state = 'owed'")[0][0])


def compare(stack: Stack, sent: Sent, receiver: Receiver, *, debt: bool = False) -> Comparison:
    """Compare everything that was acknowledged with everything that is stored.

    ``debt``: uploads that fast rules approved may be decided again by their full checks.
    """
    known = {row[0]: row[1:] for row in stack.query(ROWS)}
    out = Comparison()
    arrivals = receiver.ids()
    for job, upload in sent.acknowledged.items():
        if job not in known:
            out.lost.append(job)
            continue
        status, verdict, owes, _, decisions = known[job]
        if status in OPEN:
            out.open.append(job)
        elif not _once(decisions, status, debt):
            out.twice.append(f"{job} {decisions}")
        elif status == "decided" and not owes and verdict not in upload.may_become:
            out.wrong.append(f"{job} {upload.kind} {verdict}")
        if status == "decided" and job not in arrivals:
            out.unheard.append(job)
        if len(arrivals.get(job, ())) > 1 and not debt:
            out.renamed.append(job)
    uploads = Counter(row[3] for row in known.values() if row[3])
    out.doubled = [f"upload {number}" for number, count in uploads.items() if count > 1]
    _files(stack, out)
    out.wrong = [f"{wrong} {_reasons(stack, wrong.split()[0])}" for wrong in out.wrong]
    return out


def _reasons(stack: Stack, job: str) -> str:
    rows = stack.query(f"SELECT reasons::text FROM submission WHERE id = '{job}'")  # nosec B608
    return str(rows[0][0])


def _once(decisions: list[Any] | None, status: str, debt: bool) -> bool:
    """Whether there is one first decision, and each later one continues from the previous."""
    if not decisions:
        return False
    if len(decisions) > 1 and not debt:
        return False
    follows = all(
        later[0] == earlier[1] and later[0] != later[1]
        for earlier, later in itertools.pairwise(decisions)
    )
    return decisions[0][0] is None and follows


def _files(stack: Stack, out: Comparison) -> None:
    """Check that every row has its file and, after the sweep, every file has a row."""
    sweep(stack)
    store = storage.of(stack.settings)
    rows = {key: (job, digest) for job, key, digest in stack.query(FILES)}
    there = set(store.originals_older_than(-ANY_AGE))
    for key, (job, digest) in rows.items():
        if key not in there or _digest(store, key) != digest:
            out.missing.append(f"{key} of {job}")
    out.orphans = sorted(there - set(rows))


def _digest(store: storage.Storage, key: str) -> str:
    with store.file(storage.original(key)) as path:
        return hashlib.sha256(path.read_bytes()).hexdigest()


def sweep(stack: Stack, older_than: float = 0.0) -> int:
    """Run the sweep's step that removes files without a row; returns their number."""
    command = [sys.executable, "-c", SWEEP, str(older_than)]
    done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the sweep failed: {done.stderr.strip()[-500:]}")
    return int(done.stdout)
