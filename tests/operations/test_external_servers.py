"""Servers of one's own that refuse or do not answer: `up` and `settings check` say which."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.api import Api
from tests.support.cluster import Cluster, with_servers
from tests.support.stack import SMALL, Stack, free_port

WRONG = "hunter2"


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """A PostgreSQL and a Redis with passwords, on TCP."""
    with with_servers() as it:
        yield it


@pytest.fixture
def refused(new_stack: Callable[..., Stack]) -> Callable[..., str]:
    """Starts a stack that must not start; answers the line that says why."""

    def start(**settings: str) -> str:
        stack = new_stack(**SMALL, **settings)
        done = stack.up(check=False)
        assert done.returncode == 1, done.stdout
        assert WRONG not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert stack.left() == []
        [line] = done.stderr.splitlines()
        return line

    return start


def test_a_redis_that_refuses_the_password_stops_the_start(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    line = refused(REDIS_URL=f"redis://:{WRONG}@127.0.0.1:{servers.redis}/0")
    assert line.startswith(f"up: REDIS_URL: 127.0.0.1:{servers.redis} refuses the login: ")


def test_a_redis_that_asks_for_a_password_stops_the_start(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    line = refused(REDIS_URL=f"redis://127.0.0.1:{servers.redis}")
    assert line.endswith("refuses the login: it requires a password")


def test_a_redis_without_that_database_stops_the_start(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    secret = servers.secret("redis_password")
    line = refused(REDIS_URL=f"redis://:{secret}@127.0.0.1:{servers.redis}/99")
    assert "refuses: DB index is out of range" in line
    assert secret not in line


def test_a_redis_that_does_not_answer_is_a_warning_and_uploads_get_direct(
    new_stack: Callable[..., Stack],
) -> None:
    port = free_port()
    stack = new_stack(**SMALL, REDIS_URL=f"redis://:{WRONG}@127.0.0.1:{port}/0", SYNC_TIMEOUT="30")
    said = " ".join(stack.up().stdout.split())
    assert "Sluice is up after" in said and "but not everything that it needs" in said
    assert f"Warning REDIS_URL: 127.0.0.1:{port} does not answer: Connection refused" in said
    assert "uploads get the mode direct" in said
    assert WRONG not in said
    api = Api(stack.url, stack.json("client", "create", "Shop", "--json")["key"])
    assert api.submit(title="A chair").json()["mode"] == "direct"


def test_a_database_that_does_not_answer_is_one_line_without_the_embedded_ones_log(
    refused: Callable[..., str],
) -> None:
    port = free_port()
    line = refused(DATABASE_URL=f"postgresql://sluice:{WRONG}@127.0.0.1:{port}/sluice")
    assert line == f"up: DATABASE_URL: 127.0.0.1:{port} does not answer: Connection refused"


def test_a_database_that_refuses_the_password_is_one_line(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    place = f"127.0.0.1:{servers.database}"
    line = refused(DATABASE_URL=f"postgresql://sluice:{WRONG}@{place}/sluice")
    words = 'password authentication failed for user "sluice"'
    assert line == f"up: DATABASE_URL: {place} refuses: {words}"


def test_a_database_that_does_not_exist_is_one_line(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    url = servers.secret("database_url").replace("/sluice", "/other").replace("other:", "sluice:")
    assert refused(DATABASE_URL=url).endswith('refuses: database "other" does not exist')


def test_an_option_that_postgresql_does_not_know_is_named(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    line = refused(DATABASE_URL=servers.secret("database_url") + "?sslmod=require")
    assert line == "up: DATABASE_URL has an option that PostgreSQL does not know: sslmod"


def test_an_address_of_another_kind_of_database_is_one_line(refused: Callable[..., str]) -> None:
    line = refused(DATABASE_URL=f"mysql://root:{WRONG}@127.0.0.1/sluice")
    assert line == "up: DATABASE_URL must begin with one of postgresql://, postgres://"


def test_a_role_without_rights_on_the_schema_is_one_line(
    servers: Cluster, refused: Callable[..., str]
) -> None:
    """The application's role alone, in a database that belongs to the owner."""
    line = refused(DATABASE_URL=servers.secret("database_url"))
    assert line == (
        "up: the migrations failed: the role sluice may not create tables in the schema public of"
        " the database sluice: as a superuser, run GRANT ALL ON SCHEMA public TO sluice in this"
        " database, or make sluice the database's owner"
    )


def test_the_check_of_the_settings_asks_every_server(
    servers: Cluster, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(
        DATABASE_URL=servers.secret("database_url"),
        REDIS_URL=f"redis://:{WRONG}@127.0.0.1:{servers.redis}/0",
        DATABASE_REPLICA_URL=f"postgresql://u:{WRONG}@127.0.0.1:{free_port()}/sluice",
    )
    stack.home.mkdir()
    (stack.home / "sluice.env").write_text("WORKRES=4\nMAX_FRAMES=many\n")
    done = stack.run("settings", "check", check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0] == f"ok       {stack.home}/sluice.env: 1 settings"
    assert any(line.startswith("error    MAX_FRAMES is 'many'") for line in lines)
    assert any("WORKRES is not a setting: did you mean WORKERS?" in line for line in lines)
    database = f"ok       PostgreSQL: 127.0.0.1:{servers.database}, PostgreSQL "
    assert any(line.startswith(database) and line.endswith("role sluice") for line in lines)
    assert any(line.startswith("error    REDIS_URL: 127.0.0.1") for line in lines)
    assert any(line.startswith("error    DATABASE_REPLICA_URL: 127.0.0.1") for line in lines)
    assert WRONG not in done.stdout + done.stderr
    offline = stack.run("settings", "check", "--offline", check=False).stdout
    assert "PostgreSQL" not in offline and "MAX_FRAMES" in offline


def test_settings_without_a_mistake_pass_the_check(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.home.mkdir()
    (stack.home / "sluice.env").write_text("WORKERS=3\n")
    done = stack.run("settings", "check")
    assert done.stdout == f"ok       {stack.home}/sluice.env: 1 settings\n"
