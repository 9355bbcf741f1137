"""The adaptive limit: the decision alone, and against simulated traffic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.capacity.adaptive_limit import Signals, State, decide, measure
from models.settings import Settings

SETTINGS = Settings(
    adaptive_max_wait=60,
    adaptive_max_debt=600,
    adaptive_max_error_rate=5,
    adaptive_min_uploads_per_minute=60,
)
NO_LIMITS = State()
OVER, CALM, BETWEEN = Signals(wait=120), Signals(wait=10), Signals(wait=54)
HEAVY, MIDDLE, LIGHT = 1, 2, 3
RATES = {HEAVY: 1000.0, MIDDLE: 400.0, LIGHT: 90.0}


def after(*rounds: Signals, before: State = NO_LIMITS, rates=RATES, settings=SETTINGS) -> State:
    for signals in rounds:
        before = decide(before, signals, rates, 0.0, settings)
    return before


def limited(state: State) -> list[int]:
    return [limit.client_id for limit in state.limits]


def test_below_the_bounds_no_client_is_limited():
    assert limited(after(Signals(wait=59, debt=599, errors=4.9))) == []


@pytest.mark.parametrize(
    ("signals", "signal", "words"),
    [
        (Signals(wait=61), "wait", "the wait is 61 s, the maximum is 60 s"),
        (Signals(debt=700), "debt", "unchecked uploads take 700 s to check, the maximum is 600 s"),
        (Signals(errors=12), "errors", "12.0 % of responses or jobs fail, the maximum is 5 %"),
        (Signals(61, errors=12), "errors", "12.0 % of responses or jobs fail, the maximum is 5 %"),
    ],
)
def test_each_bound_limits_only_the_heaviest_and_gives_the_reason(signals, signal, words):
    state = after(signals)
    assert limited(state) == [HEAVY]
    assert (state.uploads_per_minute, state.limits[0].before, state.limits[0].reason) == (
        700,
        1000,
        words,
    )
    assert state.limits[0].signal == signal


@pytest.mark.parametrize("name", ["wait", "debt", "error_rate"])
def test_a_bound_of_zero_is_off(name):
    settings = replace(SETTINGS, **{f"adaptive_max_{name}": 0})
    signals = Signals(**{name.replace("error_rate", "errors"): 1e6})
    assert measure(signals, settings)[0] < 1


def test_the_next_client_is_limited_when_the_cap_reaches_its_rate():
    assert limited(after(OVER, OVER)) == [HEAVY]
    assert limited(after(OVER, OVER, OVER)) == [HEAVY, MIDDLE]


def test_no_client_is_limited_below_the_floor():
    state = after(*[OVER] * 50)
    assert state.uploads_per_minute == 60
    assert limited(state) == [HEAVY, MIDDLE, LIGHT]


def test_a_client_below_the_floor_is_never_limited():
    assert limited(after(*[OVER] * 50, rates={HEAVY: 500.0, LIGHT: 60.0})) == [HEAVY]
    assert after(*[OVER] * 50, rates={LIGHT: 60.0}).cap is None


def test_the_cap_stays_while_the_load_falls():
    state = after(Signals(wait=200), Signals(wait=180), Signals(wait=160), Signals(wait=61))
    assert state.uploads_per_minute == 700


def test_the_cap_stays_between_calm_and_the_bound():
    once = after(OVER)
    state = after(*[BETWEEN] * 20, before=once)
    assert (state.cap, state.limits) == (once.cap, once.limits)


def test_the_cap_rises_in_steps_until_the_limits_are_restored():
    low = after(*[OVER] * 50)
    caps = []
    state = low
    while state.limits:
        caps.append(state.uploads_per_minute)
        state = after(CALM, before=state)
        assert len(caps) < 30
    assert caps == sorted(caps)
    assert len(caps) > 10  # gradually
    assert limited(after(CALM, before=low)) == [HEAVY, MIDDLE]  # the lightest is restored first


def test_a_new_client_is_not_limited_while_the_cap_rises():
    state = after(OVER, OVER, OVER, CALM)
    state = after(CALM, before=state, rates={**RATES, 4: 5000.0})
    assert 4 not in limited(state)


def test_before_is_at_most_the_clients_own_limit():
    settings = replace(SETTINGS, max_uploads_per_minute_per_client=800)
    assert after(OVER, settings=settings).limits[0].before == 800


@given(
    some.dictionaries(some.integers(1, 9), some.floats(0, 1e5), max_size=9),
    some.lists(some.floats(0, 1e4), min_size=1, max_size=60),
)
def test_a_lighter_client_never_has_less(rates, waits):
    state = State()
    for wait in waits:
        state = decide(state, Signals(wait=wait), rates, 0.0, SETTINGS)
        if state.limits:
            assert state.uploads_per_minute >= SETTINGS.adaptive_min_uploads_per_minute
        clients = set(limited(state))
        for one in clients:
            heavier = {other for other, rate in rates.items() if rate > rates[one]}
            assert heavier <= clients
        assert all(limit.before > state.uploads_per_minute for limit in state.limits)
        assert all(limit.lowest >= 60 for limit in state.limits)


@dataclass
class Server:
    """A queue that completes ``capacity`` jobs per minute; clients send up to their limit."""

    capacity: float
    demand: dict[int, float]
    queue: float = 0.0
    state: State = field(default_factory=State)
    done: dict[int, float] = field(default_factory=dict)

    def run(self, minutes: float) -> list[float]:
        waits = []
        for _ in range(int(minutes * 12)):
            limited = {limit.client_id for limit in self.state.limits}
            self.done = {
                client: min(rate, self.state.uploads_per_minute) if client in limited else rate
                for client, rate in self.demand.items()
            }
            self.queue = max(0.0, self.queue + (sum(self.done.values()) - self.capacity) / 12)
            wait = 60 * self.queue / self.capacity
            self.state = decide(self.state, Signals(wait=wait), self.done, 0.0, SETTINGS)
            waits.append(wait)
        return waits


def test_a_flood_of_one_client_is_limited_and_other_clients_are_not():
    server = Server(capacity=1200, demand={HEAVY: 6000, MIDDLE: 300, LIGHT: 60})
    waits = server.run(minutes=30)
    assert max(waits[-120:]) < 2 * 60  # it stays near the bound
    assert server.done[LIGHT] == 60
    assert server.done[MIDDLE] == 300
    assert server.done[HEAVY] > 100


def test_the_capacity_is_still_used():
    server = Server(capacity=1200, demand={HEAVY: 6000})
    server.run(minutes=20)
    served = []
    for _ in range(240):
        server.run(minutes=1 / 12)
        served.append(min(server.capacity, server.done[HEAVY] + 12 * server.queue))
    assert sum(served) / len(served) > 0.7 * server.capacity


def test_when_the_flood_ends_no_client_is_limited():
    server = Server(capacity=1200, demand={HEAVY: 6000, LIGHT: 60})
    server.run(minutes=10)
    server.demand[HEAVY] = 100
    server.run(minutes=20)
    assert server.state.cap is None
