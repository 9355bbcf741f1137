"""Nothing runs at import: no settings are read; no file, thread, process, connection is opened."""

from __future__ import annotations

import json
import subprocess
import sys

from models.settings import ROOT

PACKAGES = ("models", "tasks", "webapp")
# Imports every module and reports each event that an import alone must not cause. The interpreter
# reports what it opens and starts by audit hooks, which no module can avoid.
PROBE = """
import importlib, json, os, sys, threading
acts, at = [], ""
STARTS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.exec", "os.mkdir",
          "os.remove", "os.rename", "os.putenv", "os.chmod", "os.kill", "mmap.__new__",
          "ctypes.dlopen")

def watch(event, arguments):
    if not at or len(acts) > 50:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        ours = str(path).startswith(ROOT + os.sep) and ".venv" not in str(path)
        if writes or (ours and not str(path).endswith((".py", ".pyc"))):
            acts.append([at, event, str(path)])
    elif event in STARTS and not by_a_library():
        acts.append([at, event, repr(arguments)[:80]])

def by_a_library():
    # The innermost frame that is neither Python's own nor this probe.
    frame = sys._getframe(2)
    while frame:
        name = frame.f_code.co_filename
        if "site-packages" in name:
            return True
        if name.startswith(ROOT + os.sep) and ".venv" not in name:
            return False
        frame = frame.f_back
    return True

ROOT, names = sys.argv[1], json.load(sys.stdin)
sys.addaudithook(watch)
start = threading.Thread.start
threading.Thread.start = lambda thread: (acts.append([at, "thread", thread.name]), start(thread))
before = dict(os.environ)
for name in names:
    at = name
    importlib.import_module(name)
    at = ""
from models.settings import process
changed = sorted(set(os.environ.items()) ^ set(before.items()))
print(json.dumps({
    "acts": acts, "changed": changed, "settings": process._current is not None,
    "threads": [thread.name for thread in threading.enumerate()][1:],
}))
"""


def modules() -> list[str]:
    """The name of every module, migrations aside: those run when they are imported by design."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [
        name.removesuffix(".__init__")
        for name in names
        if ".migrations." not in name and not name.endswith("__main__")
    ]


def imported(names: list[str]) -> dict:
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROBE, str(ROOT)],
        input=json.dumps(names),
        env={"PATH": "/nowhere", "LC_ALL": "C.UTF-8"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_every_module_does_nothing():
    told = imported(modules())
    assert told == {"acts": [], "changed": [], "settings": False, "threads": []}


def test_the_probe_notices_what_a_module_does(tmp_path):
    probe = PROBE.replace(
        "ROOT, names = sys.argv[1]", "sys.path.insert(0, sys.argv[1])\nROOT, names = sys.argv[1]"
    )
    (tmp_path / "busy.py").write_text(
        "import threading, subprocess, os\n"
        "threading.Thread(target=threading.Event().wait, name='left', daemon=True).start()\n"
        "os.environ['LEFT'] = '1'\n"
        "open(__file__ + '.txt', 'w').close()\n"
        "from models.settings import Settings, use_settings\n"
        "use_settings(Settings.load())\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", probe, str(tmp_path)],
        input='["busy"]',
        env={"PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert told["settings"] and told["threads"] == ["left"] and told["changed"]
    assert {event for _, event, _ in told["acts"]} >= {"open", "thread", "os.putenv"}
