"""Health: the state of each part, and a model that is missing, corrupt and restored."""

from __future__ import annotations

import shutil
import signal
from unittest.mock import ANY

import pytest
import requests

from tasks.classifier.weights import find_model
from tasks.stack.status import text
from tests.support import database_template, older_kernels
from tests.support.api import Api
from tests.support.console import person
from tests.support.older_kernels import has_landlock, has_seccomp
from tests.support.stack import SMALL, Stack, wait_until

PARTS = ["PostgreSQL", "Redis", "Queue", "Memory", "Disk", "Rules", "Model", "Decoder", "Workers"]
PARTS += ["Standby", "Storage"]


def part(stack: Stack, name: str) -> tuple[str, str]:
    """State and detail of one part of ``/readyz``."""
    told = requests.get(f"{stack.url}/readyz").json()["parts"]
    return next((each["state"], each["detail"]) for each in told if each["name"] == name)


def test_each_part_is_listed_as_ok(stack):
    confined = has_landlock() and has_seccomp()
    late = ("Workers", "Standby", "Decoder") if confined else ("Workers", "Standby")
    wait_until(lambda: {part(stack, name)[0] for name in late} == {"ok"})
    reply = requests.get(f"{stack.url}/readyz")
    assert (reply.status_code, reply.json()["ready"]) == (200, True)
    assert [each["name"] for each in reply.json()["parts"]] == PARTS
    parts = [each for each in reply.json()["parts"] if confined or each["name"] != "Decoder"]
    assert all(each["state"] == "ok" and each["detail"] for each in parts)
    if not confined:
        assert part(stack, "Decoder") == ("near", ANY)


@pytest.mark.skipif(not has_seccomp(), reason="it stands for an older kernel by a filter")
def test_a_kernel_that_cannot_confine_the_decoder_is_reported(new_stack):
    stack = new_stack(**SMALL)
    database_template.copy_into(stack.home)
    stack.run("up", "--detach", preexec_fn=lambda: older_kernels.deny("landlock"))
    lacking = "not fully confined, this kernel lacks Landlock: Function not implemented"
    wait_until(lambda: part(stack, "Decoder") == ("near", lacking), 30)
    assert requests.get(f"{stack.url}/readyz").status_code == 200
    parts = requests.get(f"{stack.url}/readyz").json()["parts"]
    assert f"Decoder  {lacking}" in text({**stack.status(), "health": parts})
    assert "the decoder is not fully confined: Landlock" in stack.logs()
    api = Api(stack.url, stack.json("client", "create", "Older", "--json")["key"])
    assert api.decided("safe_astronaut.jpg")["verdict"] == "approved"


def test_readyz_is_only_for_this_machine(stack):
    theirs = {"X-Forwarded-For": "203.0.113.9"}
    assert requests.get(f"{stack.url}/readyz", headers=theirs).status_code == 404
    assert requests.get(f"{stack.url}/healthz", headers=theirs).json() == {"status": "ok"}


def test_the_web_reports_a_standby_that_hangs(stack):
    wait_until(lambda: part(stack, "Standby")[0] == "ok")
    stack.kill("standby", signal.SIGSTOP)
    stack.sql("DELETE FROM load_sample WHERE at < (SELECT max(at) FROM load_sample)")
    stack.sql("UPDATE load_sample SET at = at - interval '1 hour'")
    console = person(stack, "viewer")
    wait_until(lambda: part(stack, "Standby")[0] == "down")
    # Each web instance keeps what it saw for two seconds.
    wait_until(lambda: "Standby: stopped" in console.get("/").text)
    assert requests.get(f"{stack.url}/readyz").status_code == 200
    stack.kill("standby", signal.SIGCONT)
    wait_until(lambda: part(stack, "Standby")[0] == "ok", 30)


def test_a_model_that_is_missing_then_corrupt_then_restored(new_stack):
    # Those that the machine is to blame for are off; a worker is not heard before it has started.
    machine = {f"ALERT_{name}": "0" for name in ("MEMORY", "DISK", "ANSWER_SECONDS")}
    stack = new_stack(PRIORITY_WORKERS="0", ALERT_AFTER="1", **machine)
    model = stack.folder / "model.onnx"
    stack.env["NSFW_MODEL"] = str(model)
    stack.up()
    strict, loose = (
        Api(stack.url, stack.json("client", "create", *arguments, "--json")["key"])
        for arguments in (("Strict",), ("Loose", "--publish-first"))
    )
    wait_until(lambda: "is missing" in part(stack, "Model")[1], 30)
    wait_until(lambda: alerts(stack) == [("model", False)], 30)
    assert requests.get(f"{stack.url}/readyz").status_code == 200  # uploads are taken
    for api, told in ((strict, ("review", False, True)), (loose, ("approved", True, True))):
        answer = api.decided("reject_a.jpg")
        assert (answer["verdict"], answer["visible"], answer["review_owed"]) == told
    assert strict.stats()["queues"]["review_debt"] == 2  # nothing is approved for good

    model.write_bytes(find_model().read_bytes()[:100_000])
    wait_until(lambda: "cannot be loaded" in part(stack, "Model")[1], 30)
    assert strict.decided("reject_a.jpg")["review_owed"]

    fresh = model.with_suffix(".fresh")
    shutil.copyfile(find_model(), fresh)
    fresh.rename(model)
    wait_until(lambda: part(stack, "Model")[0] == "ok", 30)
    stack.sql("UPDATE submission SET lease_until = now() WHERE review_owed")  # the pause is over
    wait_until(lambda: strict.stats()["queues"]["review_debt"] == 0, 60)
    assert {row[0] for row in stack.sql("SELECT verdict FROM submission")} == {"rejected"}
    wait_until(lambda: alerts(stack) == [("model", True)], 30)


def alerts(stack: Stack) -> list[tuple[str, bool]]:
    """Rule of each alert, and whether it is over; without those of workers that are silent, as
    each is until it has started."""
    alerts = "SELECT rule, ended_at IS NOT NULL FROM alert WHERE rule <> 'workers' ORDER BY id"
    return stack.sql(alerts)
