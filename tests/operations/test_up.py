"""scripts/up and scripts/down: start and stop, also after crashes and power cuts."""

import json
import os
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.stack import SCRIPTS, Stack, wait_until

SMALL = {"WEB_INSTANCES": "1", "PRIORITY_WORKERS": "0"}


@pytest.fixture(scope="module")
def own():
    """A stack that these tests may stop and break; each brings it up as it needs it."""
    stack = Stack(**SMALL, UNDO_SECONDS="7", CI_TOKEN="something private")
    # By the script alone, which makes the data folder too: ``stack.up`` copies one.
    stack.first_words = stack.run("up", "--detach").stdout
    yield stack
    stack.remove()


@pytest.fixture
def up(own):
    """The same, up."""
    own.up()
    return own


def test_up_serves_and_prints_the_url(up):
    assert up.serves()
    assert up.url in up.first_words
    assert "/setup/" in up.first_words  # the one-time link
    assert str(up.home / "log") in up.first_words


def test_a_second_up_changes_nothing(up):
    before = up.pids()
    assert "already up" in up.up().stdout
    assert up.pids() == before


def test_only_its_user_can_read_the_folder(up):
    assert stat.S_IMODE(up.home.resolve().stat().st_mode) == 0o700


def test_each_secret_is_made_once_and_private(up):
    def secrets():
        return {path.name: path.read_text() for path in (up.home / "secrets").iterdir()}

    first = secrets()
    assert first.keys() == {"session", "redis", "hash", "seal", "pgpass"}
    assert len(set(first.values())) == 5
    values = [line.rpartition(":")[2] for text in first.values() for line in text.splitlines()]
    assert all(len(bytes.fromhex(value)) == 32 for value in values)
    modes = {path.stat().st_mode for path in (up.home / "secrets").iterdir()}
    assert {stat.S_IMODE(mode) for mode in modes} == {0o600}
    up.down()
    up.up()
    assert secrets() == first


def test_the_embedded_servers_listen_only_on_sockets(up):
    assert {port for pid in up.left() for port in listening_ports(pid)} == {up.port}


def test_processes_get_the_settings_but_not_the_shells_environment(up):
    environ = Path(f"/proc/{up.pids()['worker_00']}/environ").read_bytes().split(b"\0")
    assert b"UNDO_SECONDS=7" in environ
    assert b"INSTANCE=00" in environ
    assert b"PROCESS_NAME=worker_00" in environ
    assert not [line for line in environ if line.startswith(b"CI_TOKEN")]


def test_no_process_runs_as_root(up):
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in up.left()}
    assert 0 not in owners
    assert len(owners) == 1


def test_down_leaves_no_process(up):
    assert up.left()
    up.down()
    assert up.left() == []
    assert list((up.home / "run").iterdir()) == []


def test_down_without_a_stack_succeeds(own):
    own.down()
    assert "not running" in own.down().stdout


def test_down_after_the_supervisor_was_killed(up):
    up.kill("supervisord")
    up.down()
    assert up.left() == []


def test_up_after_the_supervisor_was_killed(up):
    old = set(up.left())
    up.kill("supervisord")
    up.up()
    assert up.serves()
    assert not old & set(up.left())


def test_up_after_a_power_cut(up):
    for pid in up.left():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not up.left())
    # The pid file names a stranger by now: this very process.
    pid_file = up.home / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    up.up()
    assert up.serves()


def test_nginx_restarts_although_its_workers_hold_the_port(up):
    old = up.pids()["nginx"]
    up.kill("nginx")
    wait_until(lambda: up.pids().get("nginx") not in (None, old))
    wait_until(up.serves)


def test_status_shows_the_processes_and_the_load(up):
    told = {}

    def known():  # a busy machine may not know the load in time
        told.update(up.status())
        return told["mode"] is not None

    wait_until(known)
    assert told["url"] == up.url
    assert told["mode"] == "sync"
    assert told["queue_depth"] == 0
    assert told["estimated_wait"] >= 0
    worker = next(p for p in told["processes"] if p["name"] == "worker_00")
    assert worker["state"] == "running"
    assert worker["memory"] > 1_000_000
    assert Path(f"/proc/{worker['pid']}").exists()


def test_status_shows_the_running_stack_whatever_the_environment_says(up):
    told = up.run("status", "--json", env={**up.env, "PORT": "1234"}).stdout
    assert f'"url": "{up.url}"' in told


def test_a_script_runs_its_own_code_whatever_folder_it_is_called_from(up, tmp_path):
    for name in ("models", "tasks", "tasks/stack"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('someone else s code')\n")
    told = up.run("status", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["url"] == up.url


def test_status_answers_when_the_servers_hang(up):
    pids = [up.pids()[name] for name in ("redis", "postgres")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        told = up.status()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert told["running"]
    assert told["mode"] in (None, "direct")
    assert told["queue_depth"] in (None, 0)


def test_status_without_a_stack_exits_3(own):
    own.down()
    done = own.run("status", "--json", check=False)
    assert done.returncode == 3
    assert '"processes": []' in done.stdout


def test_a_port_in_use_is_one_line_and_leaves_nothing(own):
    own.down()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", own.port))
        holder.listen()
        refused = own.up(check=False)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"port {own.port}" in refused.stderr
    assert own.left() == []


def test_a_bad_setting_is_named(own):
    own.down()
    refused = own.run("up", "--detach", check=False, env={**own.env, "MAX_FRAMES": "many"})
    assert refused.returncode == 1
    assert "MAX_FRAMES" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_foreground_shows_what_happens_and_stops_on_ctrl_c(own):
    own.down()
    command = [SCRIPTS / "up"]
    options = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    # As in a terminal: a shell's background jobs, of which this suite may be one, ignore Ctrl-C.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=own.env, **options) as process:
        late = threading.Timer(120, process.kill)  # a line that does not come is waited for
        late.start()
        try:
            wait_until(lambda: process.stdout.readline().startswith("Ctrl-C"), 60)
            own.run("scale", "2")
            wait_until(lambda: "worker_01" in process.stdout.readline())
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            late.cancel()
            process.terminate()  # a failed test waits for nothing
    assert "stopped" in output
    assert process.returncode == 0
    assert own.left() == []


def test_two_stacks_run_side_by_side_one_in_a_long_folder_with_spaces(up, new_stack):
    other = new_stack(**SMALL)
    other.home = other.folder / ("long " * 25) / "var"
    other.env["SLUICE_HOME"] = str(other.home)
    other.up()
    assert other.serves()
    assert other.status()["running"]
    up.down()
    assert up.left() == []
    assert other.serves()


def listening_ports(pid: int) -> set[int]:
    """TCP ports on which a process listens, of both families."""
    links = [link_of(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def link_of(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
