"""Several hosts on one PostgreSQL and one Redis, each process run by the commands of deploy/.

The servers are those of packages, on TCP and with passwords, as compose.yaml would start them; a
host is a SLUICE_HOME of its own. What is shared is the folder of secrets and the media.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import requests

from tasks.stack import layout
from tests.api import Api, eventually, unique
from tests.stack import ROOT, SCRIPTS, free_port, wait_until


class Cluster:
    """``run`` starts a process of a host; ``alive`` holds those that live, by (host, name)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.database, self.redis, self.port = free_port(), free_port(), free_port()
        self.migrated: subprocess.CompletedProcess[str]
        self.waited: list[subprocess.CompletedProcess[str]] = []
        self.alive: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()

    def env(self, host: str, **more: str) -> dict[str, str]:
        """As compose.yaml and the Kubernetes manifests give it."""
        return {
            "PATH": os.environ["PATH"],
            "SLUICE_HOME": str(self.folder / host),
            "SECRETS_PATH": str(self.secrets),
            "DATABASE_URL_FILE": str(self.secrets / "database_url"),
            "REDIS_URL_FILE": str(self.secrets / "redis_url"),
            "STORAGE_URL": str(self.folder / "media"),
            "LEASE_SECONDS": "5",
            "MODERATION_IMAGE_ASYNC": "on",  # bursts queue up
            **more,
        }

    def script(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPTS / name, *arguments],
            env=self.env("a", **more),
            capture_output=True,
            text=True,
            timeout=180,
        )

    def start(self, host: str, name: str, command: list[str], **env: str) -> None:
        log = (self.folder / f"{host}-{name}.log").open("ab")
        self.alive[host, name] = subprocess.Popen(
            command,
            env=env,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def run(self, host: str, name: str, number: int = 0, **more: str) -> None:
        command = [str(SCRIPTS / "run"), name, str(number)]
        self.start(host, name, command, **self.env(host, **more))

    def kill(self, host: str) -> None:
        """The host loses its power."""
        gone = [self.alive.pop(key) for key in list(self.alive) if key[0] == host]
        for process in gone:
            os.killpg(process.pid, signal.SIGKILL)
        for process in gone:
            process.wait()

    def end(self) -> None:
        for name, process in reversed(self.alive.items()):
            process.send_signal(signal.SIGINT if name[1] == "postgres" else signal.SIGTERM)
        for process in reversed(self.alive.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-1500:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


def start_postgres(it: Cluster) -> None:
    """A new server with a superuser's password, then the roles by compose's own script."""
    programs, data = layout.postgres_folder(), it.folder / "postgres"
    made = ["--username=postgres", "--auth=scram-sha-256", "--no-sync", "--locale=C"]
    made.append(f"--pwfile={it.secrets / 'postgres_password'}")
    subprocess.run(
        [programs / "initdb", "-D", data, "--encoding=UTF8", *made], check=True, capture_output=True
    )
    options = ["-p", str(it.database), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
    it.start("servers", "postgres", [str(programs / "postgres"), "-D", str(data), *options])
    wait_until(lambda: answers(it), 60)
    server = {"PGHOST": "127.0.0.1", "PGPORT": str(it.database), "SECRETS": str(it.secrets)}
    server |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGPASSWORD": it.secret("postgres_password"),
    }
    subprocess.run([ROOT / "deploy" / "postgres-roles.sh"], env=server, check=True)


def answers(it: Cluster) -> bool:
    with contextlib.suppress(psycopg2.OperationalError):
        where = {"host": "127.0.0.1", "port": it.database, "dbname": "postgres"}
        password = it.secret("postgres_password")
        psycopg2.connect(user="postgres", password=password, **where).close()
        return True
    return False


def start_redis(it: Cluster) -> None:
    """With the password by standard input, as compose.yaml has it."""
    line = 'printf \'requirepass %s\\n\' "$(cat "$SECRETS/redis_password")" | exec "$SERVER" -'
    options = f"--bind 127.0.0.1 --port {it.redis} --dir {it.folder} --appendonly yes"
    env = {"PATH": os.environ["PATH"], "SECRETS": str(it.secrets)}
    env["SERVER"] = str(layout.redis_binary())
    it.start("servers", "redis", ["sh", "-c", f"{line} {options}"], **env)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The servers, empty, and the secrets that all hosts share."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp", ignore_cleanup_errors=True) as folder:
        it = Cluster(Path(folder))
        places = ["--database", f"127.0.0.1:{it.database}", "--redis", f"127.0.0.1:{it.redis}"]
        try:
            it.script("secrets", str(it.secrets), *places).check_returncode()
            start_redis(it)
            start_postgres(it)
            yield it
        finally:
            it.end()


@pytest.fixture(scope="module")
def hosts(cluster: Cluster) -> Cluster:
    """Migrated; a web, a worker and a standby process each on ``a`` and ``b``, nginx on ``edge``.

    Number 1 of a host that listens from port N on is at N + 1: so both ways of saying it are tried.
    """
    owner = str(cluster.secrets / "database_owner_url")
    waiting = threading.Thread(
        target=lambda: cluster.waited.append(cluster.script("migrate", "--wait"))
    )
    waiting.start()
    cluster.migrated = cluster.script("migrate", DATABASE_OWNER_URL_FILE=owner)
    waiting.join()
    first, second = free_port(), free_port()
    cluster.run("a", "web", WEB_LISTEN=f"127.0.0.1:{first}")
    cluster.run("b", "web", 1, WEB_LISTEN=f"0.0.0.0:{second - 1}")
    for number, host in enumerate(("a", "b")):
        cluster.run(host, "worker", number)
        cluster.run(host, "standby")
    servers = f"127.0.0.1:{first},127.0.0.1:{second}"
    cluster.run("edge", "nginx", PORT=str(cluster.port), WEB_SERVERS=servers)
    eventually(lambda: serves(cluster), 60)
    return cluster


@pytest.fixture(scope="module")
def api(hosts: Cluster) -> Api:
    made = hosts.script("client", "create", "Hosts", "--json")
    assert made.returncode == 0, made.stderr
    assert all(process.poll() is None for process in hosts.alive.values()), hosts.logs()
    return Api(f"http://127.0.0.1:{hosts.port}", json.loads(made.stdout)["key"])


def serves(it: Cluster) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{it.port}/healthz", timeout=2).status_code == 200
    return False


def test_the_schema_is_made_once_and_waited_for(hosts: Cluster) -> None:
    assert "0001" in hosts.migrated.stdout, hosts.migrated.stderr
    assert hosts.waited[0].stdout == "the schema is the newest\n", hosts.waited[0].stderr
    assert hosts.script("migrate", "--wait").returncode == 0


def test_an_upload_gets_its_verdict_and_every_host_is_heard(hosts: Cluster, api: Api) -> None:
    assert api.decided("safe_astronaut.jpg")["verdict"] == "approved", hosts.logs()
    names = {"worker_00", "worker_01"}
    eventually(lambda: {worker["name"] for worker in api.stats()["workers"]} == names)
    assert "/static/" in api.http.get(f"http://127.0.0.1:{hosts.port}/console/sign-in").text


def test_a_host_that_dies_loses_nothing(hosts: Cluster, api: Api) -> None:
    """``a`` goes in the middle of a burst: what was acknowledged before and after is decided."""
    ids = []
    for number in range(40):
        if number == 20:
            hosts.kill("a")
        reply = api.submit(unique("safe_astronaut.jpg"))
        assert reply.status_code in (200, 202), reply.text
        ids.append(reply.json()["job_id"])
    eventually(lambda: all(api.status(i)["status"] == "decided" for i in ids), 60)
    assert not hosts.alive.keys() & {("a", "web"), ("a", "worker")}


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (["postgres"], {}, "'postgres' is none of web, worker"),
        (["web"], {"DATABASE_URL_FILE": ""}, "DATABASE_URL and REDIS_URL must be given"),
        (["web"], {"SECRETS_PATH": "/nowhere"}, "/nowhere/session: No such file"),
        (["web"], {"REDIS_URL_FILE": "/nowhere"}, "REDIS_URL_FILE: /nowhere: No such file"),
        (["nginx"], {"WEB_SERVERS": "web"}, "'web', which is not HOST:PORT"),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    cluster: Cluster, arguments: list[str], more: dict[str, str], words: str
) -> None:
    done = cluster.script("run", *arguments, **more)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_nginx_starts_though_its_output_is_a_socket(cluster: Cluster) -> None:
    """As systemd's is, which nginx cannot open as /dev/stdout."""
    ours, theirs = socket.socketpair()
    port = free_port()
    env = cluster.env("socket", PORT=str(port), WEB_SERVERS=f"127.0.0.1:{free_port()}")
    with ours, subprocess.Popen([SCRIPTS / "run", "nginx"], env=env, stdout=theirs) as process:
        theirs.close()
        eventually(lambda: requested(f"http://127.0.0.1:{port}/") == 503)
        ours.settimeout(20)
        assert b'"status":503' in ours.recv(65536)
        process.send_signal(signal.SIGQUIT)
        assert process.wait(20) == 0


def requested(url: str) -> int:
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=5).status_code
    return 0
