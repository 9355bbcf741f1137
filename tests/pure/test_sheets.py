"""CSV and JSON exchange: no cell is a formula to a spreadsheet, and nothing changes on the way."""

from __future__ import annotations

import csv
import io
import re

import pytest

from models.sheets import csv_json

FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "="),
    *("\t=1", "\r=1", "\n=1", "\tplain", "\rplain", "\nplain"),  # the rest may get its own cell
    *(" =1", "  \t@x", "\u00a0=1", "\x0b=1", "\x00=1", "\x1f+1"),  # white space and controls
    *("\ufeff=1", "\u200b=1", "\u2060-1", "\xad=1"),  # invisible characters
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", " \uff1d1"),  # full-width signs
]
INNER = ["a\n=1", "a;=1+1;b", "a;\t=1", ";'=1", "a; '\t'=1;'", "x\n- y\n- z", "a;';=", ";;'=;\r\n@"]
EMPTY = ["", " ", "\n", "\t", "\r\n", "\u200b", "\xad \n", "-", "--", "- -", "\uff0d", "'-"]
HARMLESS = [*EMPTY, "plain", "a=1", "1-1", "'quoted'", "'", "''", "' =", "(=1)", "ünï — ok"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    split = re.sub(r"([\t\r\n])(?=[=@])", r"\1'", text)  # a cell of its own, perhaps
    assert csv_json.guarded(text) == (split if text[0] == " " and split != text else f"'{split}")


@pytest.mark.parametrize("sign", ["=1+1", "+1", "-1", "@x", " =1", "\u200b=1", "\uff1d1"])
@pytest.mark.parametrize("separator", [";", "\t", "\r", "\n", "\r\n", ";;", ";\t", "; '"])
def test_a_formula_behind_a_separator_gets_an_apostrophe(separator: str, sign: str) -> None:
    """Whichever of them a spreadsheet splits at, no cell starts a formula."""
    cell = csv_json.guarded(f"a{separator}{sign};b")
    for at in (";", "\t", "\r", "\n", "[;\t\r\n]"):
        for part in re.split(at, cell):
            assert not re.match(r"[\s\u200b]*[=+@\uff1d-]", part), (cell, at)


@pytest.mark.parametrize("text", [text for text in HARMLESS if text != "' ="])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert csv_json.guarded(text) == text


@pytest.mark.parametrize(
    ("value", "cell"), [(-5, -5), (0.5, 0.5), (None, None), (True, 1), (False, 0)]
)
def test_numbers_stay_numbers(value: object, cell: object) -> None:
    assert csv_json.guarded(value) == cell


@pytest.mark.parametrize("apostrophes", [0, 1, 2, 3])
@pytest.mark.parametrize("text", [*FORMULAS, *INNER, *HARMLESS])
def test_every_text_comes_back_the_same(text: str, apostrophes: int) -> None:
    given = "'" * apostrophes + text
    page = csv_json.as_csv(["name", "text"], [["row", given]])
    assert csv_json.read(page, ["name", "text"]) == [{"name": "row", "text": given}]
    assert csv_json.unguarded(csv_json.guarded(given)) == given


def test_a_long_export_comes_in_pieces() -> None:
    rows = [[number, "x" * 100, f"={number}"] for number in range(1000)]
    pieces = list(csv_json.csv_chunks(["a", "b", "c"], iter(rows)))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 2 * csv_json.CHUNK
    read = list(csv.reader(io.StringIO("".join(pieces), newline="")))
    assert read[0] == ["a", "b", "c"]
    assert read[1:] == [[str(number), "x" * 100, f"'={number}"] for number in range(1000)]
