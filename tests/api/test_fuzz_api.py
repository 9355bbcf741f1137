"""Whatever is sent to the API, the reply is one that its OpenAPI document describes.

Schemathesis makes the requests from the document itself, well-formed and not, with the key,
without it and with a wrong one, and follows its links from an upload to its status. Its data are
the same in each run; ``FUZZ_EXAMPLES`` and ``FUZZ_SEED`` try more, and others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from models.settings import ROOT
from tests.support.stack import Stack
from tests.support.tried import tried

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "15")
SEED = os.environ.get("FUZZ_SEED", "")


def test_every_reply_is_one_that_the_document_describes(
    open_stack: Stack, open_key: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    seed = ["--seed", SEED] if SEED else ["--generation-deterministic"]
    run = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    run += [f"{open_stack.url}/api/openapi.json", "-H", f"Authorization: Bearer {open_key}"]
    run += ["-n", EXAMPLES, *seed, "--continue-on-failure", "--no-color"]
    run += ["--suppress-health-check", "all"]  # a busy machine is no failure
    run += ["--report", "json", "--report-json-path", str(report)]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **hooks}
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    told = json.loads(report.read_text())
    phases = {name: phase["status"] for name, phase in told["phases"].items()}
    assert {phases[name] for name in ("coverage", "fuzzing", "stateful")} == {"success"}
    assert told["operations"]["tested"] == told["operations"]["total"] >= 4
    assert told["test_cases"]["generated"] >= 300
    tried(told["test_cases"]["generated"])
