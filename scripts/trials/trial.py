"""One trial of `scripts/faults`: a stack, a client, a fault in the middle, and the comparison."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import urllib3

from scripts._own_stack import Stack, make
from scripts.trials.client import Sender
from scripts.trials.compare import compare, owed, undecided
from scripts.trials.receiver import Receiver
from tasks.stack.steps import Step
from tests.support import database_template

WIDTH = 20  # characters of the bar
FIRST_SHARE = 3  # the fault happens when a third is acknowledged
DELIVERED_WITHIN = 90.0  # seconds for the last webhook
SETTINGS = {
    "WORKERS": 2,
    "PRIORITY_WORKERS": 0,
    "MODERATION_IMAGE_ASYNC": "on",  # texts are decided in sync mode, pictures are queued
    "FAST_TRACK_DEPTH": 100_000,
    "UNDO_SECONDS": 0,
    "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
}


@dataclass(frozen=True)
class Plan:
    """The size of a run. ``small`` is a small separate file system, if there is one."""

    folder: Path
    uploads: int = 500
    rate: float = 25.0  # uploads a second
    quick: bool = False
    small: Path | None = None


@dataclass
class Scene:
    """The context of a fault; broken promises are added to ``missed``."""

    plan: Plan
    stack: Stack
    sender: Sender
    receiver: Receiver
    missed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doing: str = ""
    console: Any = None  # a signed-in person, if the fault needs one

    def require(self, holds: object, promise: str) -> None:
        """Record a broken promise, once."""
        if not holds and promise not in self.missed:
            self.missed.append(promise)

    def until(self, holds: Callable[[], object], seconds: float, promise: str) -> float:
        """Wait for a condition, or record a broken promise; returns the seconds it took."""
        started = time.monotonic()
        while not _true(holds):
            if time.monotonic() - started > seconds:
                self.missed.append(f"{promise} (within {seconds:.0f} s)")
                break
            time.sleep(0.1)
        return time.monotonic() - started

    def acknowledged(self) -> int:
        """The number of uploads acknowledged so far."""
        return len(self.sender.sent.acknowledged)


def _true(holds: Callable[[], object]) -> bool:
    """Whether it holds; False if the server does not respond."""
    try:
        return bool(holds())
    except (OSError, psycopg2.Error, urllib3.exceptions.HTTPError):
        return False


@dataclass(frozen=True)
class Fault:
    """A fault: its effect on a stack, and the expected results.

    ``answers``: the allowed responses; ``drain``: seconds within which all must be decided;
    ``prepare``: settings that need files of the trial; ``around``: settings of servers that run
    beside the stack.
    """

    name: str
    promise: str
    strike: Callable[[Scene], None]
    settings: Mapping[str, object] = field(default_factory=dict)
    quick: Mapping[str, object] = field(default_factory=dict)  # settings of the short run
    answers: frozenset[str] = frozenset({"200", "202", "503+Retry-After", "cut"})
    drain: float = 60.0
    debt: bool = False
    small: bool = False  # the stack is on the small file system, if there is one
    prepare: Callable[[Path], Mapping[str, object]] = lambda home: {}
    around: Callable[[Path], AbstractContextManager[Mapping[str, object]]] = lambda home: (
        contextlib.nullcontext({})
    )


@dataclass
class Result:
    """The result of a trial; ``missed`` is empty if every promise held."""

    fault: str
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    drain: float | None = None
    saw: str = ""
    notes: str = ""
    missed: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def run(fault: Fault, plan: Plan) -> Result:
    """Run a fault; an error of the trial itself counts as a broken promise."""
    result = Result(fault.name)
    home = ((fault.small and plan.small) or plan.folder) / fault.name
    stated = {**SETTINGS, **fault.settings, **(fault.quick if plan.quick else {})}
    stated |= fault.prepare(home)
    receiver = Receiver()
    with Step(fault.name) as step:
        try:
            step.note("starting")
            with fault.around(home) as more, _stack(home, receiver, {**stated, **more}) as stack:
                sender = Sender(stack.settings.url, stack.key, plan.uploads, plan.rate)
                scene = Scene(plan, stack, sender, receiver)
                with _shown(step, scene):
                    _try(fault, scene, result)
        except Exception as error:
            result.missed.append(f"the trial failed: {type(error).__name__} {error}")
        finally:
            receiver.close()
        step.text = "; ".join(result.missed) or f"holds, {result.acknowledged} acknowledged"
    return result


@contextlib.contextmanager
def _stack(home: Path, receiver: Receiver, stated: Mapping[str, object]) -> Iterator[Stack]:
    stack = make(home, **stated)
    database_template.copy_into(home)  # where the tests run it
    try:
        stack.script("up", "--detach")
        made = stack.script("client", "create", "Faults", "--webhook", receiver.url, "--json")
        stack.key = json.loads(made)["key"]
        yield stack
    finally:
        stack.script("down")


def _try(fault: Fault, scene: Scene, result: Result) -> None:
    sender, stack = scene.sender, scene.stack
    scene.doing = "sending"
    sender.start()
    scene.until(lambda: scene.acknowledged() * FIRST_SHARE >= scene.plan.uploads, 60, "uploads")
    scene.doing = "the fault strikes"
    fault.strike(scene)
    scene.doing = "sending"
    sender.finish()
    scene.doing = "draining"
    sent = sender.sent
    result.drain = scene.until(lambda: not undecided(stack, sent), fault.drain, "all is decided")
    scene.doing = "webhooks"
    scene.until(lambda: not owed(stack), DELIVERED_WITHIN, "every event is delivered")
    scene.doing = "comparing"
    outcome = compare(stack, sent, scene.receiver, debt=fault.debt)
    odd = {name: count for name, count in sent.answers.items() if name not in fault.answers}
    scene.require(not odd, f"clients saw what they must not see: {odd}")
    scene.require(not any(u.keyed for u in sent.given_up), "an upload was never acknowledged")
    result.acknowledged, result.lost = len(sent.acknowledged), len(outcome.lost)
    result.twice, result.saw = len(outcome.twice), sent.saw()
    result.notes = "; ".join(scene.notes)
    result.missed = [*scene.missed, *outcome.broken()]


@contextlib.contextmanager
def _shown(step: Step, scene: Scene) -> Iterator[None]:
    """Update the progress line while the trial runs."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(0.1):
            sent = scene.sender.sent
            full = min(WIDTH, WIDTH * sent.finished // scene.plan.uploads)
            bar = "█" * full + "·" * (WIDTH - full)
            count = f"{scene.acknowledged()}/{scene.plan.uploads}"
            step.note(f"[{bar}] {count} {scene.doing}  {sent.saw()}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
