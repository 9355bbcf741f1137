"""What deploy/ holds is valid by its own schemas, and says what Procfile and settings say."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import jsonschema
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from models.settings import ROOT, Settings
from tasks.servers.procfile import TRAITS
from tasks.stack import run
from tests.support.deploy import DEPLOY, OURS, SYSTEMD, compose, documents, pods, unit
from tests.support.stack import SCRIPTS

SETTINGS = {f.name.upper() for f in fields(Settings)}
SETTINGS |= {f"{name}_FILE" for name in SETTINGS}


class TestProcesses:
    """One list: what each way of deploying runs is what the Procfile names."""

    def test_the_image_runs_all_that_can_run_alone(self) -> None:
        assert set(run.NAMES) == set(TRAITS) - {"postgres", "redis", "autoscale"}

    def test_compose_runs_each(self) -> None:
        commands = {name: it["command"] for name, it in OURS.items()}
        assert commands.pop("migrate") == ["scripts/migrate"]
        assert commands == {name: ["scripts/run", name] for name in run.NAMES}

    def test_kubernetes_runs_each(self) -> None:
        commands = {name.partition("/")[2]: pod["containers"][0]["command"] for name, pod in pods()}
        assert commands.pop("migrate") == ["scripts/migrate"]
        assert commands == {name: ["scripts/run", name] for name in run.NAMES}

    def test_systemd_runs_each(self) -> None:
        commands = {}
        for path in SYSTEMD:
            if path.suffix == ".service":
                start = unit(path)["ExecStart"].removeprefix("/opt/sluice/scripts/").split()
                commands[path.stem.removeprefix("sluice").strip("-@")] = start
        assert [commands.pop(""), commands.pop("migrate")] == [["up"], ["migrate"]]
        pools = {
            name: ["%i"] if name in ("web", "worker", "worker-priority") else []
            for name in run.NAMES
        }
        assert commands == {name: ["run", name, *number] for name, number in pools.items()}

    def test_each_has_the_time_and_the_signal_to_end_well(self) -> None:
        grace = {
            name.partition("/")[2]: pod.get("terminationGracePeriodSeconds", 0)
            for name, pod in pods()
        }
        for name in run.NAMES:
            signal, patience, _ = TRAITS[name]
            path = next(p for p in SYSTEMD if p.stem.strip("@") == f"sluice-{name}")
            assert int(unit(path)["TimeoutStopSec"]) >= patience
            assert unit(path)["KillSignal"] == f"SIG{signal}"
            assert int(OURS[name]["stop_grace_period"].removesuffix("s")) >= patience
            assert OURS[name].get("stop_signal", "SIGTERM") == f"SIG{signal}"
            assert grace[name] >= patience + 5  # the hook before the signal counts too

    def test_every_setting_that_is_given_exists(self) -> None:
        given = {name for it in OURS.values() for name in it["environment"]}
        given |= set(next(d for d in documents() if d["kind"] == "ConfigMap")["data"])
        for _, pod in pods():
            given |= {entry["name"] for entry in pod["containers"][0].get("env", ())}
        assert given <= SETTINGS


class TestCompose:
    def test_it_is_valid(self) -> None:
        jsonschema.validate(compose(), get_builtin_schema("vendor.compose-spec"))

    def test_every_service_is_bounded(self) -> None:
        for name, service in compose()["services"].items():
            assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
            assert service["cap_drop"] == ["ALL"], name
        for name, service in OURS.items():
            assert service["read_only"] and service["user"] == "10001:10001", name

    def test_every_service_that_runs_on_has_a_health_check(self) -> None:
        for name, service in compose()["services"].items():
            disabled = service["healthcheck"].get("disable", False)
            assert disabled == (name == "migrate"), name

    def test_every_image_has_an_exact_version(self) -> None:
        for name, service in compose()["services"].items():
            image = re.sub(r"\$\{\w+:-(.+)\}", r"\1", service["image"])
            assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", image), name
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg", encoding="utf-8")
        version = config["metadata"]["version"]
        assert {service["image"] for service in OURS.values()} == {
            f"${{SLUICE_IMAGE:-sluice:{version}}}"
        }
        [image] = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())[
            "images"
        ]
        assert image["newTag"] == version

    def test_its_secrets_are_those_that_the_script_makes(self, tmp_path: Path) -> None:
        for _ in range(2):
            done = subprocess.run(
                [SCRIPTS / "secrets", tmp_path / "s"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            kept = {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}
        assert done.stdout == ""  # nothing was made twice
        assert set(kept) == set(compose()["secrets"])
        assert kept["application_password"].strip() in kept["database_url"]


class TestDockerfile:
    def test_its_linter_is_content(self) -> None:
        program = Path(sys.executable).with_name("hadolint")
        subprocess.run([program, DEPLOY / "Dockerfile"], check=True)

    def test_its_base_has_an_exact_version(self) -> None:
        text = (DEPLOY / "Dockerfile").read_text()
        assert re.search(r"^ARG PYTHON=python:3\.\d+\.\d+-slim-[a-z]+$", text, re.M)

    def test_the_first_layer_can_install_the_packages(self, tmp_path: Path) -> None:
        """Alone: before the tree is copied, only the files that are named there exist."""
        head = (DEPLOY / "Dockerfile").read_text().partition("COPY . .")[0]
        for *names, target in (line.split() for line in re.findall(r"^COPY (.+)$", head, re.M)):
            (tmp_path / target).mkdir(parents=True, exist_ok=True)
            for name in names:
                shutil.copy(ROOT / name, tmp_path / target)
        done = subprocess.run(
            [sys.executable, "-I", tmp_path / "scripts" / "_install.py", "--check"],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (1, "")  # nothing is installed there

    def test_what_the_image_holds_is_enough(self, tmp_path: Path) -> None:
        """The tree as Dockerfile.dockerignore lets it through, alone."""
        lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        for name in (line[1:] for line in lines if line.startswith("!")):
            source, target = ROOT / name, tmp_path / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        (tmp_path / ".venv").symlink_to(ROOT / ".venv")
        words = (
            "import webapp.app, tasks.worker, tasks.standby, tasks.stack.migrate\n"
            "from tasks.demo.uploads import KINDS, Stream\n"
            "for _ in Stream(1, 3 * len(KINDS)): pass"  # the demo has every picture that it sends
        )
        env = {"PATH": os.environ["PATH"], "SLUICE_HOME": str(tmp_path / "home")}
        subprocess.run([sys.executable, "-c", words], cwd=tmp_path, env=env, check=True)
        done = subprocess.run(
            [tmp_path / "scripts" / "run", "web"], env=env, capture_output=True, text=True, cwd="/"
        )
        assert done.stderr.startswith("run: DATABASE_URL and REDIS_URL are required")
