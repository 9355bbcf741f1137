"""scripts/install-systemd, and the units it writes, as systemd itself judges them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.deploy import SYSTEMD, unit
from tests.support.stack import ROOT, SCRIPTS


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("units")
    install("--into", str(folder)).check_returncode()
    install("--templates", "--into", str(folder)).check_returncode()
    return folder


def test_all_are_installed_with_this_trees_paths(units: Path) -> None:
    assert {path.name for path in units.iterdir()} == {path.name for path in SYSTEMD}
    for path in units.iterdir():
        if path.suffix == ".service":
            assert "/opt/sluice" not in path.read_text()
            assert f"ExecStart={SCRIPTS}/" in path.read_text()
            assert unit(path)["User"] == "daemon"
            assert unit(path)["Environment"] == "SLUICE_HOME=/srv/sluice"


def test_systemd_takes_them(units: Path) -> None:
    verify = shutil.which("systemd-analyze") or pytest.skip("no systemd here")
    names = [path.name.replace("@.", "@1.") for path in sorted(units.iterdir())]
    done = subprocess.run(
        [verify, "verify", "--man=no", *(f"./{name}" for name in names)],
        cwd=units,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_refuses_a_wrong_one(units: Path) -> None:
    verify = shutil.which("systemd-analyze") or pytest.skip("no systemd here")
    text = (units / "sluice-standby.service").read_text()
    (units / "wrong.service").write_text(text.replace("OOMPolicy=continue", "OOMPolicy=perhaps"))
    command = [verify, "verify", "--man=no", "./wrong.service"]
    done = subprocess.run(command, cwd=units, capture_output=True, text=True)
    (units / "wrong.service").unlink()
    assert "Failed to parse OOM policy" in done.stderr


def test_every_service_is_confined() -> None:
    for path in SYSTEMD:
        if path.suffix == ".service":
            told = unit(path)
            assert (told["NoNewPrivileges"], told["ProtectSystem"]) == ("yes", "strict")
            assert told["ReadWritePaths"] == "/var/lib/sluice"
            assert "MemoryMax" in told


def test_a_look_writes_nothing() -> None:
    shown = install("--dry-run")
    assert shown.returncode == 0
    assert "# /etc/systemd/system/sluice.service\n" in shown.stdout
    assert "User=daemon" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        ([], {}, "only root writes to /etc/systemd/system"),
        (["--into", "/nowhere"], {}, "the folder /nowhere does not exist"),
        (["--dry-run"], {"SLUICE_USER": "nobody"}, "create a user"),
        (["--dry-run"], {"SLUICE_HOME": "/srv/my sluice"}, "use a plain path"),
        (["--now"], {}, "unknown option --now"),
    ],
)
def test_what_cannot_be_done_is_a_line(
    arguments: list[str], env: dict[str, str], words: str
) -> None:
    if os.getuid() == 0 and not arguments:
        pytest.skip("root may")
    done = install(*arguments, **env)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def install(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / "install-systemd", *arguments],
        env={**os.environ, "SLUICE_USER": "daemon", "SLUICE_HOME": "/srv/sluice", **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("STORAGE_URL=s3://uploads/a", "s3"), ("STORAGE_URL=/srv/media", ""), ("", "")],
)
def test_what_the_settings_ask_for_is_installed_before_the_tree_is_read_only(
    tmp_path: Path, line: str, wanted: str
) -> None:
    (tmp_path / "sluice.env").write_text(line + "\n")
    command = f"source {ROOT}/scripts/_install.sh; extras"
    env = {"SLUICE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-euc", command], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, wanted), done.stderr
    assert "install_packages $(extras)" in (ROOT / "scripts/install-systemd").read_text()
