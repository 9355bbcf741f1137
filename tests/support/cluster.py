"""Hosts that share a PostgreSQL, a Redis, their secrets and the media: processes run one by one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from tasks.servers import layout
from tests.support.deploy import compose
from tests.support.stack import ROOT, SCRIPTS, free_port, wait_until


class Cluster:
    """``run`` starts a process of a host; ``alive`` holds those that live, by (host, name)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.database, self.redis, self.port = free_port(), free_port(), free_port()
        self.web_ports: tuple[int, int]
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
            "POSTGRES_BIN": str(layout.postgres_folder()),  # an older pg_dump may lie around
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
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-1500:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


@contextlib.contextmanager
def with_servers() -> Iterator[Cluster]:
    """A cluster with its secrets, whose PostgreSQL and Redis run for the block."""
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
    """By the command of compose.yaml: the password comes by standard input."""
    *shell, text = compose()["services"]["redis"]["command"]
    options = f"- --bind 127.0.0.1 --port {it.redis} --dir {it.folder}"
    text = text.replace("$$", "$").replace("/run/secrets", str(it.secrets))
    text = text.replace("valkey-server -", f"{layout.redis_binary()} {options}")
    it.start("servers", "redis", [*shell, text], PATH=os.environ["PATH"])


@contextlib.contextmanager
def name_server(addresses: dict[str, list[str]]) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """A name server that knows these names' IPv4 addresses; they may change while it serves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_names, args=(server, addresses))
        thread.start()
        host, port = server.getsockname()
        yield f"{host}:{port}", addresses
        server.sendto(b"", (host, port))
        thread.join()


def answer_names(server: socket.socket, addresses: dict[str, list[str]]) -> None:
    while packet := (heard := server.recvfrom(512))[0]:
        question = packet[12 : packet.index(b"\0", 12) + 5]
        name = b".".join(re.split(rb"[\x01-\x3f]", question[:-5])[1:]).decode()
        known = addresses.get(name, []) if question[-4:-2] == b"\0\1" else []
        record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4"  # an address of that name, for a second
        answers = b"".join(record + socket.inet_aton(address) for address in known)
        head = packet[:2] + b"\x81\x80\0\1" + len(known).to_bytes(2, "big") + b"\0\0\0\0"
        server.sendto(head + question + answers, heard[1])
