"""What `scripts/client` and `scripts/moderator` start, in a process that stays for the next call.

Tests make hundreds of clients and people; a script of its own for each would spend most of its
time on starting. What the scripts do beside it is tried by test_accounts.py and others.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache

from models.settings import ROOT

SCRIPTS = ("client", "moderator")
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
            importlib.import_module("tasks.commands." + asked["script"]).main()
    except SystemExit as end:
        error = str(end.code or "")
    sys.modules["models.database.connection"].db.close_all()
    print(json.dumps([output.getvalue(), error]), flush=True)
"""


def run(env: dict[str, str], script: str, *arguments: str) -> str:
    """What a script prints in the stack of this environment; fails where it complains."""
    process = _process()
    assert process.stdin is not None and process.stdout is not None
    asked = {"env": env, "script": script, "arguments": arguments}
    print(json.dumps(asked), file=process.stdin, flush=True)
    output, error = json.loads(process.stdout.readline())
    assert not error, f"{script} {arguments}: {error}"
    return str(output)


@cache
def _process() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LOOP]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
    atexit.register(process.communicate)  # it ends with its input
    return process
