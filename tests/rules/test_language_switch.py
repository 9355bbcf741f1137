"""Starter rules and the release before, whose processes apply every active rule to every client."""

from __future__ import annotations

from collections.abc import Callable

from models.rules.starter_list import load
from tests.support.api import Api, eventually
from tests.support.console import person
from tests.support.stack import Stack

SWEDISH = "Knulla, sa han"  # a word of the Swedish starter list


def by_last_release(stack: Stack) -> set[tuple[str, str]]:
    """(pattern, action) of the rules that processes of release 0.2.0 load, by their own query."""
    return {*stack.sql("SELECT pattern, action FROM rule WHERE active AND removed_at IS NULL")}


def listed(*languages: str) -> set[tuple[str, str]]:
    """(pattern, action) of what the list has switched on, of every language and of these."""
    rules = (rule for rule in load() if rule.language in ("", *languages))
    return {(rule.pattern, rule.action) for rule in rules if rule.active}


def is_active(stack: Stack, rule_id: int) -> bool:
    [(active,)] = stack.sql("SELECT active FROM rule WHERE id = %s", rule_id)
    return active


def rule_of(stack: Stack, pattern: str, language: str) -> int:
    """The id of a starter rule."""
    [(number,)] = stack.sql(
        "SELECT r.id FROM rule r JOIN rule_set s ON s.id = r.rule_set_id"
        " WHERE r.pattern = %s AND s.language = %s",
        pattern,
        language,
    )
    return number


def patterns(stack: Stack, api: Api, title: str) -> list[str]:
    """The patterns of the rules that an upload with this title matches."""
    found = "SELECT evidence->>'pattern' FROM finding WHERE submission_id = %s"
    rows = stack.sql(f"""{found} AND "check" = 'rules'""", api.decided(title=title)["job_id"])
    return [pattern for (pattern,) in rows]


def test_only_languages_in_use_are_active_for_the_last_release(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack(WORKERS="1")
    stack.up()
    assert by_last_release(stack) == listed("en")
    one, other = (
        Api(stack.url, stack.json("client", "create", name, "--json")["key"]) for name in "ab"
    )
    stack.run("rules", "language", "sv", "on", "--client", "a")
    eventually(lambda: patterns(stack, one, SWEDISH) == ["knulla"])
    assert patterns(stack, other, SWEDISH) == []
    assert patterns(stack, other, "You slut!") == ["slut"]
    assert by_last_release(stack) == listed("en", "sv")
    stack.run("rules", "language", "sv", "off", "--client", "a")
    assert by_last_release(stack) == listed("en")


def test_each_way_to_select_a_language_activates_its_rules(stack: Stack) -> None:
    """Danish: no other test of the session's stack uses it."""
    admin, number = person(stack, "administrator"), rule_of(stack, "fisse", "da")
    assert not is_active(stack, number)
    own = {"visibility": "hold", "languages_from": "own"}
    stack.run("client", "create", "By script", "--languages", "da")
    assert is_active(stack, number)
    [(client,)] = stack.sql("SELECT id FROM client WHERE name = 'By script'")
    admin.post(f"/clients/{client}", form="/", name="By script", **own)
    assert not is_active(stack, number)
    admin.post(f"/clients/{client}", form="/", name="By script", **own, languages="da")
    assert is_active(stack, number)
    stack.run("rules", "language", "da", "off")
    assert not is_active(stack, number)
    admin.post("/clients/", form="/clients/new", name="By page", **own, languages="da")
    assert is_active(stack, number)
    stack.run("rules", "language", "da", "off")
    admin.post("/rules/languages/da", form="/rules", to="1")
    assert is_active(stack, number)
    admin.post("/rules/languages/da", form="/rules", to="0")
    assert not is_active(stack, number)


def test_what_a_person_switched_stays(stack: Stack) -> None:
    admin = person(stack, "administrator")
    off, on = rule_of(stack, "luder", "da"), rule_of(stack, "pik", "da")
    stack.run("rules", "language", "da", "off")
    for to in ("1", "0"):  # it waited for its language; now a person has switched it off
        admin.post(f"/rules/{off}/switch", form="/rules", to=to)
    admin.post(f"/rules/{on}/switch", form="/rules", to="1")
    for to in ("on", "off", "on", "off"):
        stack.run("rules", "language", "da", to)
        assert (is_active(stack, off), is_active(stack, on)) == (False, True)


def test_starter_rules_of_an_older_release_are_sorted(new_stack: Callable[..., Stack]) -> None:
    """As migration 0022 leaves them: all in one set, other languages off, one switched on."""
    stack = new_stack(WORKERS="1")
    stack.up()
    applied = by_last_release(stack)
    before = stack.sql("SELECT kind, pattern, active, rule_set_id FROM rule ORDER BY id")
    stack.sql(
        "DELETE FROM rule USING rule AS first WHERE first.kind = rule.kind"
        " AND first.pattern = rule.pattern AND first.id < rule.id"
    )
    stack.sql(
        "WITH made AS (INSERT INTO rule_set (name) VALUES ('Starter list') RETURNING id)"
        " UPDATE rule SET rule_set_id = (SELECT id FROM made), inflections = false"
    )
    stack.sql("UPDATE rule SET active = false, updated_at = now() WHERE pattern = 'slut'")
    stack.sql("UPDATE rule SET active = true, updated_at = now() WHERE pattern = 'knulla'")
    stack.run("restart")
    after = stack.sql("SELECT kind, pattern, active, rule_set_id FROM rule")
    changed = {row[1] for row in set(before) ^ set(after)}
    assert changed == {"slut", "knulla"}
    assert stack.sql("SELECT active FROM rule WHERE pattern = 'slut' AND action <> 'allow'") == [
        (False,)
    ]
    rows = "SELECT s.name, r.active FROM rule r JOIN rule_set s ON s.id = r.rule_set_id"
    assert stack.sql(f"{rows} WHERE pattern = 'knulla'") == [("Own rules", True)]
    assert stack.sql(f"{rows} WHERE pattern = 'hurensohn'") == [("German: profanity", False)]
    assert by_last_release(stack) == applied - {("slut", "review")} | {("knulla", "review")}
    stack.run("rules", "language", "de", "on")
    assert stack.sql(f"{rows} WHERE pattern = 'hurensohn'") == [("German: profanity", True)]
    assert stack.sql("SELECT count(*) FROM rule_set WHERE name = 'Starter list'") == [(0,)]
    assert stack.sql("SELECT count(*) FROM rule WHERE inflections")[0][0] > 500
