"""The benchmark runs and writes its table; what it measures is no matter of tests."""

import json
import subprocess

from tests.stack import SCRIPTS


def bench(folder, *arguments):
    return subprocess.run(
        [SCRIPTS / "bench", *arguments], cwd=folder, capture_output=True, text=True, timeout=180
    )


def test_it_lists_its_rows(tmp_path):
    told = bench(tmp_path, "--list")
    assert told.returncode == 0
    names = [line.split()[0] for line in told.stdout.splitlines()]
    assert names == [
        "intake",
        "fast_track",
        "rules",
        "worker",
        "repeats",
        "sync",
        "memory",
        "up",
        "search",
        "review",
        "growth",
        "events",
        "burst",
        "pressed",
        "scaling",
    ]
    assert not list(tmp_path.iterdir())


def test_an_unknown_row_is_an_error(tmp_path):
    told = bench(tmp_path, "speed")
    assert told.returncode == 2
    assert "there is no row speed" in told.stderr


def test_a_row_gives_a_table_json_and_markdown(tmp_path):
    told = bench(tmp_path, "--quick", "rules", "--markdown", "table.md")
    assert told.returncode == 0, told.stderr
    [path] = tmp_path.glob("bench-*.json")
    kept = json.loads(path.read_text())
    assert kept["machine"]["cores"] >= 1
    assert {figure["row"] for figure in kept["figures"]} == {"rules"}
    ours = next(f for f in kept["figures"] if "10,000 terms, normalisation" in f["what"])
    assert ours["measure"]["value"] > 0
    assert ours["what"] in told.stdout
    assert ours["what"] in (tmp_path / "table.md").read_text()
