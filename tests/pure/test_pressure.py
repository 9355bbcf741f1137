"""Limits under pressure: the decision alone, and against simulated traffic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.capacity.adaptive_limits import Signals, State, decide, measure
from models.settings import Settings

SETTINGS = Settings(
    adaptive_max_wait=60,
    adaptive_max_debt=600,
    adaptive_max_error_rate=5,
    adaptive_min_uploads_per_minute=60,
)
NOBODY = State()
OVER, CALM, BETWEEN = Signals(wait=120), Signals(wait=10), Signals(wait=54)
HEAVY, MIDDLE, LIGHT = 1, 2, 3
RATES = {HEAVY: 1000.0, MIDDLE: 400.0, LIGHT: 90.0}


def after(*rounds: Signals, before: State = NOBODY, rates=RATES, settings=SETTINGS) -> State:
    for signals in rounds:
        before = decide(before, signals, rates, 0.0, settings)
    return before


def lowered(state: State) -> list[int]:
    return [one.client_id for one in state.lowered]


def test_below_its_bounds_nobody_is_lowered():
    assert lowered(after(Signals(wait=59, debt=599, errors=4.9))) == []


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        (Signals(wait=61), "the wait is 61 s, wanted at most 60 s"),
        (Signals(debt=700), "unchecked uploads take 700 s to check, wanted at most 600 s"),
        (Signals(errors=12), "12.0 % fail, wanted at most 5 %"),
        (Signals(wait=61, errors=12), "12.0 % fail, wanted at most 5 %"),
    ],
)
def test_each_bound_lowers_the_heaviest_alone_and_says_why(signals, words):
    state = after(signals)
    assert lowered(state) == [HEAVY]
    assert (state.limit, state.lowered[0].before, state.lowered[0].why) == (700, 1000, words)


@pytest.mark.parametrize("name", ["wait", "debt", "error_rate"])
def test_a_bound_of_nothing_is_off(name):
    settings = replace(SETTINGS, **{f"adaptive_max_{name}": 0})
    signals = Signals(**{name.replace("error_rate", "errors"): 1e6})
    assert measure(signals, settings)[0] < 1


def test_the_next_heaviest_follows_when_the_heaviest_came_down_to_it():
    assert lowered(after(OVER, OVER)) == [HEAVY]
    assert lowered(after(OVER, OVER, OVER)) == [HEAVY, MIDDLE]


def test_nobody_is_cut_below_the_floor():
    state = after(*[OVER] * 50)
    assert state.limit == 60
    assert lowered(state) == [HEAVY, MIDDLE, LIGHT]


def test_who_sends_less_than_the_floor_is_never_touched():
    assert lowered(after(*[OVER] * 50, rates={HEAVY: 500.0, LIGHT: 60.0})) == [HEAVY]
    assert after(*[OVER] * 50, rates={LIGHT: 60.0}).cap is None


def test_while_the_load_falls_already_nothing_is_lowered_further():
    state = after(Signals(wait=200), Signals(wait=180), Signals(wait=160), Signals(wait=61))
    assert state.limit == 700


def test_between_calm_and_the_bound_nothing_moves():
    once = after(OVER)
    state = after(*[BETWEEN] * 20, before=once)
    assert (state.cap, state.lowered) == (once.cap, once.lowered)


def test_it_comes_back_step_by_step_and_is_lifted():
    low = after(*[OVER] * 50)
    caps = []
    state = low
    while state.lowered:
        caps.append(state.limit)
        state = after(CALM, before=state)
        assert len(caps) < 30
    assert caps == sorted(caps)
    assert len(caps) > 10  # gradually
    assert lowered(after(CALM, before=low)) == [HEAVY, MIDDLE]  # the lightest is whole first


def test_a_newcomer_is_not_lowered_while_limits_come_back():
    state = after(OVER, OVER, OVER, CALM)
    state = after(CALM, before=state, rates={**RATES, 4: 5000.0})
    assert 4 not in lowered(state)


def test_a_clients_own_limit_is_what_it_is_lowered_from():
    settings = replace(SETTINGS, max_uploads_per_minute_per_client=800)
    assert after(OVER, settings=settings).lowered[0].before == 800


@given(
    some.dictionaries(some.integers(1, 9), some.floats(0, 1e5), max_size=9),
    some.lists(some.floats(0, 1e4), min_size=1, max_size=60),
)
def test_whatever_comes_a_lighter_client_never_has_less(rates, waits):
    state = State()
    for wait in waits:
        state = decide(state, Signals(wait=wait), rates, 0.0, SETTINGS)
        if state.lowered:
            assert state.limit >= SETTINGS.adaptive_min_uploads_per_minute
        known = set(lowered(state))
        for one in known:
            heavier = {other for other, rate in rates.items() if rate > rates[one]}
            assert heavier <= known
        assert all(one.before > state.limit for one in state.lowered)
        assert all(one.lowest >= 60 for one in state.lowered)


@dataclass
class Server:
    """A queue that works ``capacity`` jobs a minute off; clients send what they may each round."""

    capacity: float
    demand: dict[int, float]
    queue: float = 0.0
    state: State = field(default_factory=State)
    done: dict[int, float] = field(default_factory=dict)

    def run(self, minutes: float) -> list[float]:
        waits = []
        for _ in range(int(minutes * 12)):
            held = {one.client_id for one in self.state.lowered}
            self.done = {
                client: min(rate, self.state.limit) if client in held else rate
                for client, rate in self.demand.items()
            }
            self.queue = max(0.0, self.queue + (sum(self.done.values()) - self.capacity) / 12)
            wait = 60 * self.queue / self.capacity
            self.state = decide(self.state, Signals(wait=wait), self.done, 0.0, SETTINGS)
            waits.append(wait)
        return waits


def test_a_flood_of_one_is_held_and_the_others_feel_nothing():
    server = Server(capacity=1200, demand={HEAVY: 6000, MIDDLE: 300, LIGHT: 60})
    waits = server.run(minutes=30)
    assert max(waits[-120:]) < 2 * 60  # it stays about the bound
    assert server.done[LIGHT] == 60
    assert server.done[MIDDLE] == 300
    assert server.done[HEAVY] > 100


def test_what_the_server_can_do_is_still_used():
    server = Server(capacity=1200, demand={HEAVY: 6000})
    server.run(minutes=20)
    served = []
    for _ in range(240):
        server.run(minutes=1 / 12)
        served.append(min(server.capacity, server.done[HEAVY] + 12 * server.queue))
    assert sum(served) / len(served) > 0.7 * server.capacity


def test_when_the_flood_ends_everything_is_as_before():
    server = Server(capacity=1200, demand={HEAVY: 6000, LIGHT: 60})
    server.run(minutes=10)
    server.demand[HEAVY] = 100
    server.run(minutes=20)
    assert server.state.cap is None
