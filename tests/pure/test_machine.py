"""Memory and disk in use: the machine's, and a container's where it has less."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from models.settings import Settings
from tasks.host.resources import disk, memory
from tasks.servers.layout import readable_by_others

MB = 1024 * 1024


def group(root: Path, limit: str, used: int, cache: int) -> Path:
    (root / "memory.max").write_text(f"{limit}\n")
    (root / "memory.current").write_text(f"{used}\n")
    (root / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\nactive_file 7\n")
    return root


def test_a_container_that_is_nearly_full_counts(tmp_path: Path) -> None:
    assert memory(group(tmp_path, str(100 * MB), 99 * MB, 0)) == 99.0


def test_page_cache_that_can_be_given_back_is_free(tmp_path: Path) -> None:
    full = memory(group(tmp_path, str(100 * MB), 99 * MB, 98 * MB))
    assert full == pytest.approx(psutil.virtual_memory().percent, abs=5)


def test_the_older_kind_of_group_counts_too(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(str(100 * MB))
    (folder / "memory.usage_in_bytes").write_text(str(98 * MB))
    (folder / "memory.stat").write_text(f"cache 1\ntotal_inactive_file {MB}\n")
    assert memory(tmp_path) == 97.0


@pytest.mark.parametrize("limit", ["max", str(2**62), "0", "nonsense"])
def test_a_group_without_a_limit_does_not(tmp_path: Path, limit: str) -> None:
    found = memory(group(tmp_path, limit, 99 * MB, 0))
    assert found == pytest.approx(psutil.virtual_memory().percent, abs=5)


def test_the_fullest_disk_counts(tmp_path: Path) -> None:
    folders = [tmp_path, Path("/"), Path("/dev")]
    assert disk(*folders) == max(psutil.disk_usage(str(folder)).percent for folder in folders)


def test_settings_that_everybody_can_read_are_found(tmp_path):
    (tmp_path / "secrets").mkdir()
    secret, env, log = tmp_path / "secrets" / "seal", tmp_path / "sluice.env", tmp_path / "own"
    for path, mode in ((secret, 0o644), (env, 0o640), (log, 0o600)):
        path.write_text("x")
        path.chmod(mode)
    settings = Settings(sluice_home=tmp_path)
    tmp_path.chmod(0o755)
    assert readable_by_others(settings) == [secret]
    env.chmod(0o644)
    assert readable_by_others(settings) == [secret, env]
    tmp_path.chmod(0o750)
    assert readable_by_others(settings) == []
