"""The benchmark runs and writes its table; what it measures is no matter of tests."""

import json
import re
import subprocess
from xml.etree import ElementTree

import pytest

from models.settings import ROOT
from scripts.benches import docs, summary
from scripts.benches.chart import Band, Chart, ChartLine, Panel
from scripts.benches.figures import Figure, Measure
from tests.support.stack import SCRIPTS


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
        "detect",
        "up",
        "search",
        "review",
        "growth",
        "events",
        "burst",
        "pressed",
        "scaling",
        "fair",
        "detectors",
    ]
    assert not list(tmp_path.iterdir())


def test_an_unknown_row_is_an_error(tmp_path):
    told = bench(tmp_path, "speed")
    assert told.returncode == 2
    assert "there is no row speed" in told.stderr


@pytest.mark.slow
def test_a_row_gives_a_table_json_and_markdown(tmp_path):
    told = bench(tmp_path, "--quick", "rules", "--markdown", "table.md")
    assert told.returncode == 0, told.stderr
    [path] = tmp_path.glob("bench-*.json")
    kept = json.loads(path.read_text())
    assert kept["machine"]["cores"] >= 1
    assert {figure["row"] for figure in kept["figures"]} == {"rules"}
    ours = next(f for f in kept["figures"] if " 1,000 terms, normalisation" in f["what"])
    assert ours["measure"]["value"] > 0
    assert ours["what"] in told.stdout
    assert ours["what"] in (tmp_path / "table.md").read_text()


PAGE = """# Performance

## Two

<!-- bench two -->
old figures
<!-- end -->

What stands between stays.
"""


def test_each_row_has_its_place_in_the_docs():
    figures = [Figure("two", "anew", Measure(2.0, "ms")), Figure("three", "new", Measure(3.0, "s"))]
    where = {"date": "2026-01-02", "processor": "P", "cores": 2, "memory_gb": 4, "system": "S"}
    text = docs.merge(PAGE, figures, {**where, "python": "3", "load": 0.1})
    assert "old figures" not in text
    assert text.index("| two | anew | 2.00 ms") < text.index("What stands between stays.")
    assert text.index("## Three") < text.index("| three | new | 3.00 s")
    assert docs.merge(text, figures, {**where, "python": "3", "load": 0.1}) == text


def test_quick_figures_do_not_come_into_the_docs(tmp_path):
    told = bench(tmp_path, "--quick", "--docs", "rules")
    assert told.returncode == 1
    assert "--quick" in told.stderr


def test_a_figure_of_many_of_its_kind_stands_in_the_json_alone():
    one = Figure("two", "one of many", Measure(2.0, "ms"), detail=True)
    where = {"date": "2026-01-02", "processor": "P", "cores": 2, "memory_gb": 4, "system": "S"}
    text = docs.merge(PAGE, [one], {**where, "python": "3", "load": 0.1})
    assert "one of many" not in text
    kept = docs.keep({}, [one], where)
    assert json.loads(docs.dump(kept)) == kept
    assert kept["two"]["figures"][0]["what"] == "one of many"


def test_a_row_measured_anew_replaces_its_older_figures_alone():
    old = docs.keep({}, [Figure("two", "old", Measure(1.0, "ms")), MISSED], {"date": "2026-01-01"})
    new = docs.keep(old, [Figure("two", "new", Measure(2.0, "ms"))], {"date": "2026-01-02"})
    assert [figure["what"] for figure in new["two"]["figures"]] == ["new"]
    assert new["memory"] == old["memory"]


MISSED = Figure("memory", "one worker", Measure(130.0, "MB"), goal="≤ 120 MB", met=False)


def test_the_summary_tells_what_holds_and_what_does_not():
    page = "<!-- summary -->\n<!-- end -->\n\n## How much memory\n\n<!-- bench memory -->\n"
    up = Figure("up", "second scripts/up: serving", Measure(2.0, "s"), goal="≤ 5 s", met=True)
    text = summary.put(page, docs.keep({}, [MISSED, up], {}))
    assert "1 of 2 goals hold." in text
    assert (
        "| memory of a worker | [memory](#how-much-memory) | 130 MB | ≤ 120 MB | **no** |" in text
    )
    assert summary.put(text, docs.keep({}, [MISSED, up], {})) == text


def test_the_docs_say_what_their_json_says():
    kept = json.loads((ROOT / "docs" / "performance.json").read_text())
    page = (ROOT / "docs" / "performance.md").read_text()
    assert not summary.missing(kept)
    assert summary.put(page, kept) == page


def test_a_chart_is_drawn_in_both_looks():
    parsed = ElementTree.fromstring(
        Chart(
            "A & B",
            "of a test",
            [
                Panel(
                    "depth",
                    [
                        ChartLine("told", [(0, 1), (5, 20), (99, 3)]),
                        ChartLine("real", [(1, 2)], dots=True),
                    ],
                    [Band("async", 1, 4, "blue")],
                    [(10, "async from 10")],
                ),
                Panel("debt", [ChartLine("debt", [(0, 0), (90, 7)], area=True)], end=100),
            ],
            0,
            10,
        ).svg()
    )
    assert parsed.get("aria-label") == "A & B. of a test"
    text = ElementTree.tostring(parsed, encoding="unicode")
    assert "prefers-color-scheme: dark" in text
    paths = [path.get("d") for path in parsed.iter() if path.get("class") == "series"]
    assert len(paths) == 2
    assert len(re.findall("L", paths[0])) == 2, "what lies past the axis is not drawn"
