"""Fetches pinned packages: an npm tarball by its SHA-256, a PyPI package in a throw-away venv."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path

NPM = "https://registry.npmjs.org"
LARGEST = 200 * 1024 * 1024  # bytes of a tarball
TIMEOUT = 60  # seconds without a byte


class FetchError(Exception):
    """A package that cannot be fetched, or that is another than the pinned one."""


@dataclass(frozen=True)
class Pinned:
    """A package of one version, whose file has this SHA-256."""

    name: str
    version: str
    sha256: str

    def check(self, data: bytes) -> bytes:
        """The file's bytes. Raises FetchError if it is another file."""
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise FetchError(
                f"{self.name} {self.version}: the SHA-256 is {digest}, not the pinned {self.sha256}"
            )
        return data


def npm_tarball(package: Pinned, source: Path | None) -> bytes:
    """A package's tarball, from a file or from the registry NPM_CONFIG_REGISTRY."""
    data = source.read_bytes() if source else _download(package.name, package.version)
    return package.check(data)


def member(tarball: bytes, path: str) -> str:
    """A text file inside a package's tarball."""
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        try:
            file = archive.extractfile(f"package/{path}")
        except KeyError:
            file = None
        if file is None:
            raise FetchError(f"the package has no file {path}")
        return file.read().decode("utf-8")


def _download(name: str, version: str) -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or NPM
    base = name.rpartition("/")[2]
    url = f"{registry.rstrip('/')}/{name}/-/{base}-{version}.tgz"
    if not url.startswith(("https://", "http://")):
        raise FetchError(f"NPM_CONFIG_REGISTRY is {registry}; it must begin with https://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as reply:  # nosec B310
            data: bytes = reply.read(LARGEST + 1)
    except (urllib.error.URLError, OSError) as error:
        raise FetchError(f"{url}: {getattr(error, 'reason', error)}") from error
    if len(data) > LARGEST:
        raise FetchError(f"{url}: larger than {LARGEST} bytes")
    return data


def run_beside(
    package: Pinned, source: Path | None, others: list[str], program: Path, *arguments: str
) -> None:
    """Run a program with the Python of a new venv that has these packages; then remove the venv.

    ``source`` is the wheel of ``package``; without it pip downloads it, from the index that
    PIP_INDEX_URL or pip.conf names.
    """
    if source is not None:
        package.check(source.read_bytes())
    with tempfile.TemporaryDirectory(prefix="sluice-models-") as folder:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
        if source is None:
            named = f"{package.name}=={package.version}"
            _run(
                [*pip, "download", "--quiet", "--no-deps", "--dest", f"{folder}/wheel", named],
                "pip",
            )
            [source] = Path(folder, "wheel").iterdir()
            package.check(source.read_bytes())
        _run([*pip, "install", "--quiet", "--only-binary", ":all:", str(source), *others], "pip")
        _run([f"{folder}/bin/python", "-I", str(program), *arguments], program.stem)


def _run(command: list[str], name: str) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise FetchError(f"{name}: {last[0]}")
