"""Metrics: their values, and that the docs, the dashboard and the alert rules match them."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client import Metric, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from models.settings import ROOT
from tasks.observability import metric_files
from tests.support.api import Api, drawn, eventually, unique
from tests.support.console import person
from tests.support.stack import Stack, free_port

ROW = re.compile(r"^\| `(sluice_\w+)` \| (\w+) \|([^|]*)\| (.*?) \|$", re.M)
NAME = re.compile(r"\bsluice_\w+")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # what a route may have
SELECTED = re.compile(r"(sluice_\w+)\{([^}]*)\}")


def scrape(stack: Stack) -> dict[str, Metric]:
    """Every family by its exported name."""
    text = requests.get(stack.url + "/metrics", timeout=10).text
    families = text_string_to_metric_families(text)
    return {told(family): family for family in families}


def told(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def value(stack: Stack, name: str, **labels: str) -> float:
    """The sum of a sample over the labels that are not named."""
    return sum(
        sample.value
        for family in scrape(stack).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def labels_of(family: Metric) -> set[str]:
    return {name for sample in family.samples for name in sample.labels} - {"le"}


def test_the_docs_name_each_with_its_type_its_labels_and_its_help(stack: Stack) -> None:
    documented = {row[0]: row[1:] for row in ROW.findall((ROOT / "docs/metrics.md").read_text())}
    exposed = scrape(stack)
    assert documented.keys() == exposed.keys()
    for name, (kind, labels, about) in documented.items():
        assert exposed[name].type == kind, name
        assert exposed[name].documentation == about, name
        found = labels_of(exposed[name])
        assert found == set(re.findall(r"`(\w+)`", labels)), name


def expressions() -> Iterator[str]:
    """Every expression of the dashboard and of the alert rules."""
    board = json.loads((ROOT / "deploy/grafana/sluice.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_the_dashboard_and_the_alert_rules_use_existing_metrics(stack: Stack) -> None:
    families = scrape(stack).values()
    labels = {s.name: set(s.labels) for family in families for s in family.samples}
    asked = list(expressions())
    assert len(asked) > 40
    for expression in asked:
        names = NAME.findall(expression)
        for name in names:
            assert name in labels, f"{name} in {expression}"
        for name, chosen in SELECTED.findall(expression):
            matched = set(re.findall(r"(\w+)\s*[=!]~?", chosen)) - {"job"}
            assert matched <= labels[name], expression
        known = set.union({"job", "instance"}, *(labels[name] for name in names))
        for by in re.findall(r"\bby \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", by)) <= known, expression


def test_expressions_fit_the_types_of_their_metrics() -> None:
    for expression in expressions():
        assert all(expression.count(a) == expression.count(b) for a, b in ("()", "[]", "{}"))
        # A counter is a total since the start: what it says is its rate.
        for at in re.finditer(r"\bsluice_\w+_(total|bucket|sum|count)\b", expression):
            assert expression[: at.start()].endswith("rate("), expression
        for quantile in re.findall(r"histogram_quantile\(.*?rate\(\w+", expression, re.S):
            assert re.search(r"by \([^)]*\ble\b[^)]*\) \(rate\(sluice_\w+_bucket$", quantile)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool of Prometheus is not there")
def test_promtool_accepts_the_rules_and_the_dashboards_expressions(tmp_path: Path) -> None:
    asked = [e.replace("$__rate_interval", "5m").replace("$job", "j") for e in expressions()]
    board = tmp_path / "board.yml"
    records = [{"record": f"expression_{at}", "expr": e} for at, e in enumerate(asked)]
    board.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": records}]}))
    for path in (ROOT / "deploy/prometheus/alerts.yml", board):
        told = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
        assert told.returncode == 0, told.stdout + told.stderr


def test_events_are_counted(stack: Stack, api: Api) -> None:
    before = {
        name: value(stack, name)
        for name in (
            "sluice_processing_seconds_count",
            "sluice_decoding_seconds_count",
            "sluice_inference_seconds_count",
            "sluice_queue_wait_seconds_count",
        )
    }
    rejected = value(stack, "sluice_verdicts_total", verdict="rejected", by="machine")
    misses = value(stack, "sluice_cache_misses_total", cache="same_bytes")
    hits = value(stack, "sluice_cache_hits_total", cache="same_bytes")
    alike = value(stack, "sluice_cache_hits_total", cache="look_alikes")
    calm = drawn()  # it looks like nothing that was flagged, so the network is asked
    assert api.decided(calm)["verdict"] == api.decided(calm)["verdict"]
    # Once the network has scored one, other bytes of that look are rejected by their look alone:
    # they have no score of their own that could be a hit of same_bytes, however often they come.
    assert api.decided(unique("reject_a.jpg"))["verdict"] == "rejected"
    assert api.decided(unique("reject_a.jpg"))["verdict"] == "rejected"
    for name, number in before.items():
        eventually(lambda name=name, number=number: value(stack, name) > number)
    verdicts = {"verdict": "rejected", "by": "machine"}
    eventually(lambda: value(stack, "sluice_verdicts_total", **verdicts) >= rejected + 2)
    eventually(lambda: value(stack, "sluice_cache_misses_total", cache="same_bytes") > misses)
    eventually(lambda: value(stack, "sluice_cache_hits_total", cache="same_bytes") > hits)
    eventually(lambda: value(stack, "sluice_cache_hits_total", cache="look_alikes") > alike)


def test_a_persons_verdicts_and_limits_are_counted(stack: Stack, new_client) -> None:
    console = person(stack)
    people = value(stack, "sluice_verdicts_total", by="person", verdict="approved")
    limited = value(stack, "sluice_limited_total", scope="author")
    api = Api(stack.url, new_client())
    assert api.decided(unique("review_a.jpg"))["verdict"] == "review"
    job_id, version = console.deck()[0]
    assert console.decide(job_id, version, "approved").status_code == 200
    assert value(stack, "sluice_verdicts_total", by="person", verdict="approved") == people + 1
    replies = [api.submit(title="one more", user_id="eager") for _ in range(11)]
    assert replies[-1].status_code == 429
    assert value(stack, "sluice_limited_total", scope="author") == limited + 1


def test_a_route_is_never_a_url(stack: Stack, http: requests.Session) -> None:
    for number in range(3):
        http.get(f"{stack.url}/nothing-{number}")
        http.get(f"{stack.url}/api/moderation/status/nothing-{number}")
    for method in (*METHODS, "BREW", "PURGE"):
        requests.request(method, f"{stack.url}/api/nothing")
    samples = scrape(stack)["sluice_http_requests_total"].samples
    assert not [s for s in samples if "nothing" in s.labels["route"]]
    routes = {(s.labels["method"], s.labels["route"], s.labels["status"]) for s in samples}
    assert ("GET", "none", "404") in routes
    assert ("GET", "/api/moderation/status/<job_id>", "404") in routes
    assert {s.labels["method"] for s in samples} == {*METHODS, "other"}


def test_the_state_is_read_at_each_scrape(stack: Stack) -> None:
    parts = {s.labels["part"]: s.value for s in scrape(stack)["sluice_part_up"].samples}
    assert parts["PostgreSQL"] == parts["Redis"] == 1
    modes = {s.labels["mode"]: s.value for s in scrape(stack)["sluice_mode"].samples}
    assert sum(modes.values()) == 1
    assert value(stack, "sluice_db_pool_connections") > 0
    assert value(stack, "sluice_db_connections") > 1
    # The snapshot is half a second old at most.
    eventually(
        lambda: (
            value(stack, "sluice_reviews_open")
            == stack.sql(
                "SELECT count(*) FROM submission WHERE verdict = 'review' AND NOT review_owed"
            )[0][0]
        )
    )


def test_openmetrics_is_sent_if_requested(stack: Stack) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    reply = requests.get(stack.url + "/metrics", headers=accept, timeout=10)
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert "sluice_http_requests" in {family.name for family in openmetrics(reply.text)}


def test_counters_survive_their_processes(stack: Stack, api: Api) -> None:
    assert api.decided(unique("safe_rocket.jpg"))["verdict"] == "approved"
    eventually(lambda: value(stack, "sluice_processing_seconds_count") > 0)
    worked = value(stack, "sluice_processing_seconds_count")
    answered = value(stack, "sluice_http_requests_total")
    folder = stack.home / "tmp" / "metrics"
    files = set(folder.iterdir())
    for name in ("worker_00", "web_00"):
        old = stack.pids()[name]
        stack.kill(name)
        eventually(lambda name=name, old=old: stack.pids().get(name, old) != old)
    eventually(lambda: api.stats()["workers"])
    assert api.decided(unique("safe_rocket.jpg"))["verdict"] == "approved"
    eventually(lambda: value(stack, "sluice_processing_seconds_count") > worked)
    assert value(stack, "sluice_http_requests_total") > answered
    assert set(folder.iterdir()) == files


def test_files_do_not_pile_up_over_hundreds_of_processes(tmp_path: Path) -> None:
    """Each counts one and is killed; two live at a time."""
    for _ in range(100):
        ready, stay = os.pipe(), os.pipe()
        children = [_counting(tmp_path, ready[1], stay) for _ in range(2)]
        for _ in children:
            assert _heard(ready[0])
        for end in (*ready, *stay):
            os.close(end)
        for child in children:
            os.waitpid(child, 0)
    assert sorted(path.name for path in tmp_path.glob("counter_*")) == [
        "counter_000.db",
        "counter_001.db",
    ]
    (family,) = MultiProcessCollector(None, str(tmp_path)).collect()
    assert [sample.value for sample in family.samples] == [200]


def _heard(pipe: int) -> bool:
    """Whether a child says its dot; one that died will not, and is not waited for for ever."""
    return bool(select.select([pipe], [], [], 60)[0]) and os.read(pipe, 1) == b"."


def _counting(folder: Path, ready: int, stay: tuple[int, int]) -> int:
    """A process that counts one, says so, and ends when nobody waits for it any more."""
    child = os.fork()
    if child:
        return child
    try:
        os.close(stay[1])
        os.environ[metric_files.FOLDER] = str(folder)
        made = metric_files.value_class()
        made("counter", "jobs_total", "jobs_total", (), (), "Jobs.").inc(1)
        os.write(ready, b".")
        os.read(stay[0], 1)
    finally:
        os._exit(0)


def test_a_slots_files_are_fully_allocated(tmp_path: Path, monkeypatch) -> None:
    """On a full disk, a hole in a mapped file would kill the process."""
    monkeypatch.setenv(metric_files.FOLDER, str(tmp_path))
    assert metric_files.value_class() is not values.MutexValue
    for kind, size in metric_files.SIZES.items():
        assert (tmp_path / f"{kind}_000.db").stat().st_blocks * 512 >= size


def test_a_file_that_a_crash_corrupted_is_replaced(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "counter_000.db").write_bytes(b"\x40\x00\x00\x00" + b"\xff" * 60)
    monkeypatch.setenv(metric_files.FOLDER, str(tmp_path))
    made = metric_files.value_class()("counter", "jobs_total", "jobs_total", (), (), "Jobs.")
    made.inc(2)
    assert made.get() == 2


def test_without_a_folder_a_process_counts_in_memory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(metric_files.FOLDER, raising=False)
    assert metric_files.value_class() is values.MutexValue
    monkeypatch.setenv(metric_files.FOLDER, "/proc/nowhere")
    assert metric_files.value_class() is values.MutexValue


def test_a_worker_without_a_web_process_serves_its_metrics(tmp_path: Path) -> None:
    """As a worker in a container does, whose files no web process sees."""
    code = "from models.settings import Settings, use_settings; use_settings(Settings.load());"
    code += "from tasks.load import metrics_server; from tasks.observability import metrics;"
    code += "metrics.meters().decoding.observe(0.2); metrics_server.serve();"
    code += "print(flush=True); input()"
    port = free_port()
    environ = {
        **os.environ,
        metric_files.FOLDER: str(tmp_path),
        "METRICS_LISTEN": f"127.0.0.1:{port}",
    }
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"\n"
        told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        process.communicate(b"\n")
    assert "sluice_decoding_seconds_count 1.0" in told
    assert "sluice_queue_depth" not in told


@pytest.mark.parametrize("kept", ["dead", "alive"])
def test_gauges_of_ended_processes_are_removed(tmp_path: Path, monkeypatch, kept: str) -> None:
    monkeypatch.setenv(metric_files.FOLDER, str(tmp_path))
    ready, stay = os.pipe(), os.pipe()
    child = _gauging(tmp_path, ready[1], stay)
    assert _heard(ready[0])
    if kept == "dead":
        os.close(stay[1])
        os.waitpid(child, 0)
    metric_files.forget_dead(tmp_path)
    assert bool(list(tmp_path.glob("gauge_*"))) == (kept == "alive")
    if kept == "alive":
        os.close(stay[1])
        os.waitpid(child, 0)


def _gauging(folder: Path, ready: int, stay: tuple[int, int]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.close(stay[1])
        made = metric_files.value_class()
        made("gauge", "held", "held", (), (), "Held.", "livesum").set(3)
        os.write(ready, b".")
        os.read(stay[0], 1)
    finally:
        os._exit(0)
