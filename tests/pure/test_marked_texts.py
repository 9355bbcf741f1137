"""How the console shows the texts of uploads."""

from models.verdict import Finding
from webapp.console.shared.formatting import marked, with_overrides


def test_a_direction_override_is_labelled_and_kept() -> None:
    shown = with_overrides("so \u202egarv\u202c<b>")
    assert '<bdi class="override"' in shown
    assert "right to left" in shown
    assert shown.endswith("\u202egarv\u202c&lt;b&gt;")
    assert with_overrides("plain") == "plain"


def test_a_match_inside_an_override_is_marked_where_it_is_stored() -> None:
    evidence = {"rule": 1, "kind": "word", "pattern": "viagra", "field": "title"}
    evidence |= {"start": 1, "end": 7, "text": "argaiv"}
    finding = Finding("rules", "spam", "reject", evidence=evidence)
    shown = marked("\u202eargaiv\u202c ok", "title", [finding])
    assert ">argaiv</mark>\u202c ok" in shown
    assert '<bdi class="override"' in shown.split("<mark")[0]
