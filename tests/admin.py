"""What `scripts/client` and `scripts/moderator` start, in a process that stays for the next call.

Tests make hundreds of clients and people; a script of its own for each would spend most of its
time on starting. What the scripts do beside it is tried by test_accounts.py and others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import ClassVar

from models.settings import ROOT

LOOP = """
import contextlib, importlib, io, json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["", *asked["arguments"]]
    output, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(output):
            importlib.import_module("tasks.admin." + asked["script"]).main()
    except SystemExit as end:
        error = str(end.code or "")
    sys.modules["models.db"].db.close_all()
    print(json.dumps([output.getvalue(), error]), flush=True)
"""


class Admin:
    """``run(script, *arguments)`` is what the script prints; ``env`` is that of its stack."""

    SCRIPTS: ClassVar = ("client", "moderator")

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self._process: subprocess.Popen[str] | None = None

    def run(self, script: str, *arguments: str) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", LOOP],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"env": self.env, "script": script, "arguments": arguments}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        output, error = json.loads(self._process.stdout.readline())
        assert not error, f"{script} {arguments}: {error}"
        return str(output)

    def end(self) -> None:
        """End the process, where one was started."""
        if self._process is not None:
            self._process.communicate()
            self._process = None
