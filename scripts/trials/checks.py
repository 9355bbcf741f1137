"""Faults of `scripts/faults` in the checks: a missing model, a picture that crashes its worker."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import urllib3

from scripts.trials.client import sample, unlike
from scripts.trials.trial import Fault, Scene
from tasks.classifier.weights import find_model
from tests.support.hostile import progressive

POISONS = 2
ENDLESS = 6
WINDOW = 20.0  # seconds over which the other uploads' throughput is measured
UNCHECKED = """
SELECT count(*) FROM submission s WHERE verdict = 'approved' AND NOT review_owed
AND EXISTS (SELECT FROM image i WHERE i.submission_id = s.id AND i.score IS NULL)
"""
OWED = "SELECT count(*) FROM submission WHERE review_owed"
AT_WORK = (
    "SELECT id::text, lease_by FROM submission WHERE status = 'processing' AND id::text = ANY(%s)"
)


def no_model(scene: Scene) -> None:
    """The model file is missing when every worker starts. Later it is restored."""
    _harmed(scene, Path.unlink)


def corrupt_model(scene: Scene) -> None:
    """A byte of the model file has changed. Later the file is restored."""
    _harmed(scene, _flip)


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


def _harmed(scene: Scene, harm: Callable[[Path], None]) -> None:
    model = Path(scene.stack.settings.nsfw_model)
    whole = model.with_name("whole.onnx")
    shutil.copy(model, whole)
    harm(model)
    for pid in scene.stack.pids("worker"):
        os.kill(pid, 9)
    scene.until(lambda: _model_state(scene) == "down", 30, "readiness says so")
    scene.until(lambda: _count(scene, OWED) > 0, 30, "what rules let through owes its check")
    scene.until(lambda: _alerted(scene), 60, "an alert fires")
    owed = _count(scene, OWED)
    scene.require(not _count(scene, UNCHECKED), "nothing is approved for good without its check")
    os.replace(whole, model)
    scene.until(lambda: _model_state(scene) == "ok", 60, "readiness says that it is back")
    scene.sender.finish()  # the debt is worked off when there is little other work
    took = scene.until(lambda: not _count(scene, OWED), 180, "the debt is paid")
    scene.require(not _count(scene, UNCHECKED), "nothing is approved for good without its check")
    scene.notes.append(f"{owed} owed their check, paid {took:.0f} s after the model was back")


def _model_state(scene: Scene) -> str:
    url = f"{scene.stack.settings.url}/readyz"
    parts = urllib3.request("GET", url, retries=False, timeout=10.0).json()["parts"]
    return next(part["state"] for part in parts if part["name"] == "Model")


def _alerted(scene: Scene) -> bool:
    return bool(scene.stack.query("SELECT 1 FROM alert WHERE rule LIKE '%model%'"))


def _count(scene: Scene, sql: str) -> int:
    return int(scene.stack.query(sql)[0][0])


def prepare_model(home: Path) -> dict[str, object]:
    """A separate model file for the trial, with its checksum."""
    source, place = find_model(), home.parent / f"{home.name}-model"
    place.mkdir()
    shutil.copy(source, place / "model.onnx")
    sidecar = source.with_name(source.name + ".sha256")
    if sidecar.exists():
        shutil.copy(sidecar, place / "model.onnx.sha256")
    return {"NSFW_MODEL": place / "model.onnx"}


def poison(scene: Scene) -> None:
    """Pictures whose worker dies at each attempt: every worker that claims one is killed."""
    jobs = [_poisoned(scene, number) for number in range(POISONS)]
    over, killed = threading.Event(), []
    killer = threading.Thread(target=_kill, args=(scene, jobs, over, killed), daemon=True)
    before, started = scene.acknowledged(), time.monotonic()
    decided = _count(scene, "SELECT count(*) FROM submission WHERE verdict IS NOT NULL")
    killer.start()
    lease = scene.stack.settings.lease_seconds
    scene.until(lambda: _quarantined(scene, jobs) == POISONS, 3 * lease + 180, "it is quarantined")
    over.set()
    killer.join()
    rows = scene.stack.query(
        f"SELECT attempts, status, verdict FROM submission WHERE {_among(jobs)}"
    )
    scene.require(all(row[0] <= 3 for row in rows), f"at most 3 attempts: {rows}")
    scene.require(all(row[1:] == ("quarantined", "review") for row in rows), f"to a person: {rows}")
    time.sleep(0.5)
    sent = scene.acknowledged() - before
    done = _count(scene, "SELECT count(*) FROM submission WHERE verdict IS NOT NULL") - decided
    share = (done - POISONS) / max(sent, 1)
    scene.require(scene.plan.quick or share >= 0.9, f"others' throughput is {share:.0%}")
    took = time.monotonic() - started
    scene.notes.append(
        f"{len(killed)} processes died, others {min(share, 1):.0%}, quarantined in {took:.0f} s"
    )


def poison_decoder(scene: Scene) -> None:
    """Pictures that exceed the decoder's time limit: the decoder is killed, not the worker."""
    workers = scene.stack.pids("worker")
    before = scene.acknowledged()
    decided = _count(scene, "SELECT count(*) FROM submission WHERE verdict IS NOT NULL")
    slow = progressive(6300, 6200, 80)
    jobs = [_poisoned(scene, number, slow) for number in range(ENDLESS)]
    outcome = f"SELECT count(*) FROM submission WHERE {_among(jobs)}"
    ended = f"{outcome} AND status = 'decided' AND verdict = 'review' AND attempts <= 1"
    took = scene.until(lambda: _count(scene, ended) == ENDLESS, 60, "all of them go to a person")
    time.sleep(0 if scene.plan.quick else max(0.0, WINDOW - took))
    sent = scene.acknowledged() - before
    done = _count(scene, "SELECT count(*) FROM submission WHERE verdict IS NOT NULL") - decided
    share = (done - ENDLESS) / max(sent, 1)
    scene.require(scene.plan.quick or share >= 0.9, f"others' throughput is {share:.0%}")
    scene.require(scene.stack.pids("worker") == workers, "no worker died")
    scene.notes.append(f"{ENDLESS} endless pictures: others {min(share, 1):.0%}, {took:.0f} s")


def _poisoned(scene: Scene, number: int, picture: bytes = b"") -> str:
    url = f"{scene.stack.settings.url}/api/moderation/submissions"
    picture = picture or sample("safe_coffee_11mp.jpg")
    body = unlike(picture, f"poison-{number}-{time.time_ns()}")
    reply = urllib3.request(
        "POST",
        url,
        fields={"user_id": "poisoner", "images": ("poison.jpg", body, "image/jpeg")},
        headers={"Authorization": f"Bearer {scene.stack.key}"},
        timeout=30.0,
    )
    return str(json.loads(reply.data)["job_id"])


def _kill(scene: Scene, jobs: list[str], over: threading.Event, killed: list[str]) -> None:
    """SIGKILL the worker that has claimed one of these, as a crash in its decoder would."""
    connection = psycopg2.connect(scene.stack.settings.database)
    connection.autocommit = True
    seen: set[str] = set()
    with connection.cursor() as cursor:
        while not over.wait(0.003):
            cursor.execute(AT_WORK, (jobs,))
            for _, lease in cursor.fetchall():
                if lease and lease not in seen:
                    seen.add(lease)
                    scene.stack.kill(lease.partition("/")[2].partition(":")[0])
                    killed.append(lease)
    connection.close()


def _quarantined(scene: Scene, jobs: list[str]) -> int:
    return _count(
        scene,
        f"SELECT count(*) FROM submission WHERE status = 'quarantined' AND {_among(jobs)}",
    )


def _among(jobs: list[str]) -> str:
    return "id IN (" + ", ".join(f"'{job}'" for job in jobs) + ")"


MODEL = {"ALERT_AFTER": 3, "LEASE_SECONDS": 5}
FAULTS = (
    Fault(
        "model-missing",
        "no model: readiness and an alert say so, rules decide, the check is owed and paid later",
        no_model,
        MODEL,
        prepare=prepare_model,
        drain=120,
        debt=True,
    ),
    Fault(
        "model-corrupt",
        "a damaged model: the same",
        corrupt_model,
        MODEL,
        prepare=prepare_model,
        drain=120,
        debt=True,
    ),
    Fault(
        "poison",
        "a picture that kills its worker: at most 3 attempts, to a person, others at 90 %",
        poison,
        {"WORKERS": 3, "LEASE_SECONDS": 4},
        answers=frozenset({"200", "202"}),
    ),
    Fault(
        "poison-decoder",
        "a picture without end costs its decoder alone: to a person at once, others at 90 %",
        poison_decoder,
        {"WORKERS": 3, "DECODE_TIMEOUT": 1},
        answers=frozenset({"200", "202"}),
    ),
)
