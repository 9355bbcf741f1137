"""Several hosts on one PostgreSQL and one Redis, each process run by the commands of deploy/.

The servers are those of packages, on TCP and with passwords, as compose.yaml would start them; a
host is a SLUICE_HOME of its own. What is shared is the folder of secrets and the media.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tasks.servers.procfile import TRAITS
from tests.support.api import Api, eventually, unique
from tests.support.cluster import Cluster, name_server, with_servers
from tests.support.deploy import documents
from tests.support.stack import SCRIPTS, free_port


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The servers, empty, and the secrets that all hosts share."""
    with with_servers() as it:
        yield it


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
    first, second = cluster.web_ports = (free_port(), free_port())
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
    assert hosts.waited[0].stdout == "the schema is up to date\n", hosts.waited[0].stderr
    assert hosts.script("migrate", "--wait").returncode == 0


def test_an_upload_gets_its_verdict_and_every_host_is_heard(hosts: Cluster, api: Api) -> None:
    assert api.decided("safe_astronaut.jpg")["verdict"] == "approved", hosts.logs()
    names = {"worker_00", "worker_01"}
    eventually(lambda: {worker["name"] for worker in api.stats()["workers"]} == names)
    assert "/static/" in api.http.get(f"http://127.0.0.1:{hosts.port}/console/sign-in").text


def test_keda_gets_the_depth_where_it_asks_for_it(hosts: Cluster, api: Api) -> None:
    trigger = next(d for d in documents() if d["kind"] == "ScaledObject")["spec"]["triggers"][0]
    path = urlsplit(trigger["metadata"]["url"]).path
    told = api.http.get(f"http://127.0.0.1:{hosts.port}{path}").json()
    assert isinstance(told[trigger["metadata"]["valueLocation"]], int)


def test_a_backup_holds_the_shared_secrets_and_the_shared_media(hosts: Cluster, api: Api) -> None:
    api.decided(unique("safe_coffee.jpg"))
    owner = str(hosts.secrets / "database_owner_url")
    done = hosts.script("backup", str(hosts.folder), DATABASE_OWNER_URL_FILE=owner)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(hosts.folder.glob("sluice-*.tar"))) as tar:
        names = tar.getnames()
        session = tar.extractfile("secrets/session").read().decode().strip()
    assert session == hosts.secret("session")
    assert "secrets/application_password" not in names
    assert [name for name in names if name.startswith("media/")]


def test_nginx_follows_a_name_to_the_instances_it_leads_to(hosts: Cluster, api: Api) -> None:
    """As Docker's and Kubernetes' name servers tell them, though none is there at first."""
    with name_server({}) as (place, addresses):
        it, port = "named", free_port()
        servers = f"web.sluice.internal:{hosts.web_ports[1]}"
        hosts.run(it, "nginx", PORT=str(port), WEB_SERVERS=servers, WEB_RESOLVER=place)
        address = f"http://127.0.0.1:{port}/healthz"
        eventually(lambda: requested(address) == 503)
        addresses["web.sluice.internal"] = ["127.0.0.1"]
        eventually(lambda: requested(address) == 200)
        addresses["web.sluice.internal"] = ["127.0.0.9", "127.0.0.1"]  # the first is nobody's
        for _ in range(20):
            assert requested(address) == 200


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


def test_each_ends_well_at_its_signal(hosts: Cluster) -> None:
    left = {key: it for key, it in hosts.alive.items() if key[0] in ("b", "edge")}
    assert {name for _, name in left} == {"web", "worker", "standby", "nginx"}
    for (_, name), process in left.items():
        process.send_signal(getattr(signal, f"SIG{TRAITS[name][0]}"))
    for (_, name), process in left.items():
        assert process.wait(TRAITS[name][1]) == 0, name


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (["postgres"], {}, "'postgres' is not one of web, worker"),
        (["web"], {"DATABASE_URL_FILE": ""}, "DATABASE_URL and REDIS_URL are required"),
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
