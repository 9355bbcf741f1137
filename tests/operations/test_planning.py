"""The capacity planner: machines for a demand, the queue in a burst, and the script."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.commands.capacity_planning import (
    ASSUMED,
    Demand,
    Flood,
    Prices,
    Rates,
    flood,
    forecast,
    plan,
)
from tests.support.api import drawn, eventually
from tests.support.stack import ROOT

RATES = Rates(text=0.01, image=0.04, intake=0.005, row=2000, row_image=1000, thumbnail=0)


def needs(per_day: float, **more):
    return plan(Demand(per_day, **more), RATES, Prices())


def test_workers_keep_up_with_the_busiest_hour():
    # 8,640,000 a day are 100 a second, 300 at the peak; a job takes 50 ms, 80 % busy
    found = needs(8_640_000, peak=3, images=1)
    assert found.workers == 19
    assert found.least_workers == 7
    assert found.web_instances == 2
    assert found.cores == 21
    assert found.machines == 3


def test_sizes_follow_the_retention():
    found = needs(1_000_000, images=2, image_kb=100, retention_days=30)
    assert found.database_gb == pytest.approx(30 * (2000 + 2 * 1000) / 1000)
    assert found.media_gb == pytest.approx(30 * 2 * 100)
    assert found.peak_mbit == pytest.approx(3e6 / 86_400 * 202_000 * 8 / 1e6)


def test_text_alone_needs_no_media():
    found = needs(100_000, images=0)
    assert found.media_gb == 0
    assert found.workers == 1


def test_the_cost_is_the_sum_of_its_parts():
    found = plan(Demand(1e6), RATES, Prices(core=10, memory_gb=0, database_gb=0, media_gb=0))
    assert found.cost["cores"] == found.cores * 10
    assert found.total == pytest.approx(sum(found.cost.values()))


@given(st.floats(1, 1e9), st.floats(1, 10), st.floats(0, 5))
def test_more_uploads_never_need_less(per_day, peak, images):
    few, many = (plan(Demand(per_day * times, peak, images), ASSUMED, Prices()) for times in (1, 2))
    for name in ("workers", "cores", "memory_gb", "database_gb", "media_gb", "peak_mbit", "total"):
        assert getattr(many, name) >= getattr(few, name)


def test_a_small_burst_stays_in_the_queue():
    seen = forecast(Flood(500, intake=100, during=20, after=50), fast_from=1000)
    assert seen.debt == 0
    assert seen.answered == 5
    assert seen.depth == pytest.approx(400, rel=0.02)
    assert seen.drained == pytest.approx(5 + 400 / 50, rel=0.02)
    assert seen.worst_wait == pytest.approx(8, rel=0.05)  # the last one: 400 before it at 50


def test_a_flood_fills_the_queue_to_the_threshold_and_the_rest_is_debt():
    seen = forecast(Flood(10_000, intake=400, during=40, after=80), fast_from=1000)
    assert seen.depth == pytest.approx(1000, rel=0.05)
    assert seen.answered == 25
    assert seen.checked == pytest.approx(25 + (10_000 - 25 * 40) / 80, rel=0.02)
    assert seen.debt == pytest.approx(8900, rel=0.02)  # fast_track lasts as long as the flood


@given(
    st.integers(1, 20_000), st.floats(10, 2000), st.floats(0, 500), st.floats(5, 500),
    st.integers(10, 2000),
)  # fmt: skip
def test_every_burst_ends_and_is_bounded(uploads, intake, during, after, fast_from):
    seen = forecast(Flood(uploads, intake, during, after), fast_from, step=0.5)
    assert seen.answered <= seen.drained + 0.5
    assert seen.drained <= seen.checked + 0.5
    assert seen.depth <= fast_from + intake * 0.5 + 1
    assert seen.debt <= uploads
    assert 0 <= seen.worst_wait <= seen.checked


def test_in_a_flood_answers_precede_full_checks():
    sent = flood(10_000, cores=2, workers=3, rates=RATES, images=1)
    assert sent.after == pytest.approx(2 / 0.05)  # a third worker has no core of its own
    assert sent.intake == pytest.approx(2 * 0.65 / 0.005)
    assert sent.during == pytest.approx(2 * 0.35 / 0.05)
    few = flood(10_000, cores=8, workers=1, rates=RATES, images=1)
    assert few.during == few.after == pytest.approx(1 / 0.05)


def test_a_burst_without_an_end_is_refused():
    with pytest.raises(ValueError, match="ends only"):
        forecast(Flood(10, 1, 1, 0), 1000)


def test_the_script_plans_without_a_stack(new_stack):
    told = new_stack().json("plan", "--uploads-per-day", "10,000,000", "--burst", "10000", "--json")
    assert told["needs"]["workers"] > told["needs"]["least_workers"] > 1
    assert told["needs"]["total"] == pytest.approx(sum(told["needs"]["cost"].values()))
    assert told["burst"]["checked"] > 0
    assert told["rates"]["measured"] == {}


def test_the_script_measures_a_running_stack(stack, api):
    for _ in range(3):
        api.decided(drawn())

    def measured():
        told = stack.json("plan", "--uploads-per-day", "1000", "--json")
        return told["rates"]["measured"].get("job")

    assert "pictures an upload" in eventually(measured)
    shown = stack.run("plan", "--uploads-per-day", "1000").stdout
    assert "Measured  a worker's job" in shown
    assert "Assumed   after scripts/bench" in shown


MEASURE = """
import json
from dataclasses import asdict
from models.database.connection import connect, connection
from models.settings import Settings
from models.statistics import storage_size
connect(Settings.load(), pool=1)
with connection():
    print(json.dumps(asdict(storage_size.measure())))
"""


def test_the_bytes_of_a_row_match_its_tables(stack, api):
    api.decided(drawn())
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, cwd=ROOT, env=stack.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = json.loads(done.stdout)
    assert known["submissions"] >= 1
    assert known["images"] >= 1
    page = 8192  # bytes: each table has one at least, and each of its indexes
    assert known["rows"] > 5 * page
    assert known["image_rows"] > page


def test_the_rest_of_a_row_after_retention_is_counted_separately():
    found = needs(1_000_000)
    assert found.stubs_gb == pytest.approx(30 * RATES.stub / 1000)
    assert found.stubs_gb < found.database_gb


def test_more_pictures_than_an_upload_may_have_are_an_error(new_stack):
    refused = new_stack().run("plan", "--uploads-per-day", "9", "--images", "6", check=False)
    assert refused.returncode == 2
    assert "at most 5 (MAX_FILES_PER_REQUEST)" in refused.stderr


@pytest.mark.parametrize("text", ["many", "-5", "inf"])
def test_an_invalid_number_is_an_error(new_stack, text):
    refused = new_stack().run("plan", "--uploads-per-day", text, check=False)
    assert refused.returncode == 2
    assert "--uploads-per-day" in refused.stderr


def test_a_reader_that_ends_early_is_no_error():
    command = f"{sys.executable} -m tasks.commands.plan --uploads-per-day 1000 --defaults | true"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
