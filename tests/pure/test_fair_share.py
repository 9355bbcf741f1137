"""A client's own share of the queue: jobs before it, and its mode; pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.capacity.fair_share import Flow, jobs_ahead, mode_of
from models.capacity.mode import ASYNC, DIRECT, FAST_TRACK, SYNC
from models.settings import Settings

SETTINGS = Settings(sync_max_depth=100, fast_track_depth=1000)
FLOWS = some.lists(
    some.builds(
        Flow,
        some.sampled_from("abcdef"),
        some.integers(1, 2000),
        some.floats(1, 100),
        some.floats(0.001, 10),
        some.floats(-5, 5),
    ),
    max_size=6,
    unique_by=lambda flow: flow.name,
)


def test_beside_a_flood_a_quiet_client_waits_for_one_turn():
    flood = Flow("flood", 5000, 1, 0.02)
    assert jobs_ahead([flood], "quiet") == 1
    assert jobs_ahead([flood], "flood") == 5000


def test_own_jobs_let_as_much_work_of_others_pass():
    flows = [Flow("flood", 5000, 1, 0.1), Flow("mine", 10, 1, 0.02)]
    assert jobs_ahead(flows, "mine") == 10 + 3  # 0.2 s of mine, so two of 0.1 s and one more


def test_a_heavier_client_waits_for_less_of_others():
    def others(weight: float) -> int:
        return jobs_ahead([Flow("flood", 5000, 1, 0.02), Flow("mine", 100, weight, 0.02)], "mine")

    assert (others(1), others(10)) == (100 + 101, 100 + 11)


def test_without_others_it_is_the_depth():
    assert jobs_ahead([Flow("only", 1234, 3, 0.7, 2.5)], "only") == 1234
    assert jobs_ahead([], "only") == 0


@given(FLOWS, some.sampled_from("abcdefg"), some.integers(0, 50))
def test_it_is_bounded_and_grows_with_ones_own_jobs(flows, name, before):
    all_jobs = sum(flow.jobs for flow in flows if flow.name != name)
    fewer, more = (jobs_ahead(flows, name, before + step) for step in (0, 5))
    assert before <= fewer <= more <= before + 5 + all_jobs


@given(FLOWS, some.sampled_from("abcdefg"))
def test_a_longer_flood_delays_nobody_elses_next_job_without_end(flows, name):
    longer = [
        Flow(flow.name, flow.jobs + 10_000, flow.weight, flow.cost, flow.lead) for flow in flows
    ]
    turns = [flow for flow in flows if flow.name != name]
    bound = sum(10.0 / flow.step + 1 for flow in turns)  # of leads that differ by 10 s at most
    others = [flow for flow in longer if flow.name != name]
    assert jobs_ahead(others, name) <= bound + len(turns)


@pytest.mark.parametrize(
    ("overall", "ahead", "depth", "expected"),
    [
        (SYNC, 5000, 5000, SYNC),  # the server has room: nobody is slowed down
        (ASYNC, 79, 500, SYNC),
        (ASYNC, 80, 500, ASYNC),
        (ASYNC, 500, 500, ASYNC),
        (FAST_TRACK, 79, 2000, SYNC),
        (FAST_TRACK, 799, 2000, ASYNC),
        (FAST_TRACK, 800, 2000, FAST_TRACK),
        (FAST_TRACK, 300, 310, FAST_TRACK),  # it lasts while the flood does, for who floods
        (FAST_TRACK, 3, 310, SYNC),
        (DIRECT, 0, 0, DIRECT),
    ],
)
def test_a_clients_mode_is_the_servers_or_a_faster_one(overall, ahead, depth, expected):
    assert mode_of(overall, ahead, depth, SETTINGS) == expected
