"""Real servers for all: one stack a session, a client with its key, and an HTTP session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, settings

from tests.support import database_template, durations, tried
from tests.support.api import Api
from tests.support.stack import WHOLE, Stack, running


def pytest_configure(config: pytest.Config) -> None:
    """The hooks of tests/support."""
    for plugin in (database_template, durations, tried):
        config.pluginmanager.register(plugin)


# Those that take longest begin first, so that the processes end together.
LONG = tuple(
    f"test_{name}.py"
    for name in (
        "faults containment admin_pages up webhooks pages modes submissions_page sessions"
        " retention truth review_more rules_page alerts scale autoscale review fuzz_api health"
        " audit_chain console_live classifier s3 deploy_hosts"
    ).split()
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; in a file the order stays."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))


# Both are bounds in seconds of the clock, of an example's making and of its run: they fail where
# the machine is busy. What says something of the strategies (too much filtered, too large) is on.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The session's Sluice. A test that stops or starves it makes its own with ``new_stack``."""
    with running(**WHOLE) as it:
        yield it


@pytest.fixture(scope="session")
def open_stack() -> Iterator[Stack]:
    """A Sluice without limits for what sends a lot; tests leave it as it is."""
    limits = ("MINUTE", "HOUR", "MINUTE_PER_IP")
    with running(**{f"MAX_UPLOADS_PER_{name}": "0" for name in limits}) as it:
        yield it


@pytest.fixture(scope="session")
def open_key(open_stack: Stack) -> str:
    """The key of a client of that one."""
    return open_stack.json("client", "create", "Open", "--json")["key"]


@pytest.fixture
def new_stack() -> Iterator[Callable[..., Stack]]:
    """Makes stacks that are not up yet, with settings of their own: ``new_stack(WORKERS="2")``."""
    made: list[Stack] = []

    def make(**settings: str) -> Stack:
        made.append(Stack(**settings))
        return made[-1]

    yield make
    for stack in made:
        stack.remove()


@pytest.fixture
def new_client(stack: Stack) -> Callable[..., str]:
    """Makes clients in the session's stack; answers the key of each."""

    def make(name: str = "", *arguments: str) -> str:
        name = name or f"client-{uuid4().hex[:8]}"
        return stack.json("client", "create", name, *arguments, "--json")["key"]

    return make


@pytest.fixture(scope="session")
def client_key(stack: Stack) -> str:
    """The key of a client that the session's tests share."""
    return stack.json("client", "create", "Tests", "--json")["key"]


@pytest.fixture
def http(stack: Stack, client_key: str) -> Iterator[requests.Session]:
    """A session with the shared client's key; addresses are ``stack.url + path``."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {client_key}"
        yield session


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Folder of the sample pictures."""
    return Path(__file__).parent / "fixtures"


@pytest.fixture
def api(stack: Stack, client_key: str) -> Api:
    """The API with the shared client's key."""
    return Api(stack.url, client_key)
