"""Languages of rules: what applies to which client, by upload, by page, by script, by file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.api import Api, eventually
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack

SWEDISH = "Knulla, sa han"  # a word of the Swedish starter list
END = "Slut på lager"  # ordinary Swedish, with a word of the English starter list


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def client(stack: Stack) -> tuple[str, int, Api]:
    """A client with the default languages: its name, its number, its API."""
    name = f"Languages {uuid4().hex[:8]}"
    key = stack.json("client", "create", name, "--json")["key"]
    [(number,)] = stack.sql("SELECT id FROM client WHERE name = %s", name)
    return name, number, Api(stack.url, key)


@pytest.fixture
def word() -> str:
    """A word that no other test has, of letters alone."""
    return "zl" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])


@pytest.fixture
def default(stack: Stack) -> Iterator[None]:
    """The default languages are English alone again afterwards."""
    yield
    stack.run("rules", "language", "en", "on")
    for code in ("sv", "de"):
        stack.run("rules", "language", code, "off")


def patterns(stack: Stack, api: Api, title: str) -> list[str]:
    """The patterns of the rules that an upload with this title matches."""
    found = "SELECT evidence->>'pattern' FROM finding WHERE submission_id = %s"
    job_id = api.decided(title=title)["job_id"]
    rows = stack.sql(f"""{found} AND "check" = 'rules' ORDER BY id""", job_id)
    return [pattern for (pattern,) in rows]


def used(stack: Stack, number: int) -> list[str] | None:
    [(languages,)] = stack.sql("SELECT languages FROM client WHERE id = %s", number)
    return languages


def test_a_new_client_has_the_rules_of_english_alone(stack, client) -> None:
    _, _, api = client
    assert patterns(stack, api, "You slut!") == ["slut"]
    assert patterns(stack, api, "You sluts!") == ["slut"]
    assert patterns(stack, api, SWEDISH) == []


def test_one_click_switches_a_language_on_for_one_client(stack, admin, client, new_client) -> None:
    name, number, api = client
    other = Api(stack.url, new_client())
    text = admin.post(
        "/rules/languages/sv", form="/rules", to="1", client=number, headers=FRAGMENT
    ).text
    assert re.search(rf'aria-checked="true"\s+aria-label="Swedish for {name}"', text)
    assert used(stack, number) == ["en", "sv"]
    eventually(lambda: patterns(stack, api, SWEDISH) == ["knulla"])
    assert patterns(stack, api, END) == []
    assert patterns(stack, other, SWEDISH) == []
    assert patterns(stack, other, END) == ["slut"]


def test_one_click_switches_a_language_on_for_all_and_off_again(
    stack, admin, client, default
) -> None:
    _, number, api = client
    own = person_with_selection(stack)
    admin.post("/rules/languages/de", form="/rules", to="1")
    eventually(lambda: patterns(stack, api, "Hurensohn") == ["hurensohn"])
    assert used(stack, number) is None
    assert used(stack, own) == ["de", "sv"]
    admin.post("/rules/languages/de", form="/rules", to="0")
    eventually(lambda: patterns(stack, api, "Hurensohn") == [])
    assert used(stack, own) == ["sv"]


def person_with_selection(stack: Stack) -> int:
    """A client that uses Swedish alone; its number."""
    name = f"Swedish {uuid4().hex[:8]}"
    stack.run("client", "create", name, "--languages", "sv")
    [(number,)] = stack.sql("SELECT id FROM client WHERE name = %s", name)
    return number


def test_the_rules_page_says_which_languages_are_on(stack, admin) -> None:
    page = admin.get("/rules").text
    assert re.search(r"Languages in use: <strong>English", page)
    assert re.search(r"The rules of \d+ more languages are off", page)
    row = page.split('aria-label="Thai for all clients"')[1].split("</li>")[0]
    assert "no client" in row and "active rules" in row
    assert "no client uses it" not in row and re.search(r"[1-9]\d* active rules", row)
    assert "(on as soon as a client uses it)" in admin.get("/rules?language=th").text


def test_without_javascript_a_switch_leads_back_to_its_client(stack, admin, client) -> None:
    name, number, _ = client
    page = admin.get(f"/rules/languages?client={number}").text
    assert f"{name} uses the default languages." in page
    reply = admin.post("/rules/languages/sv", form="/rules", to="1", client=number)
    assert reply.url.endswith(f"/rules/languages?client={number}")
    assert f"{name} has a selection of its own." in reply.text


def test_a_client_selects_its_languages_on_its_page(stack, admin, client) -> None:
    name, number, api = client
    form = {"name": name, "visibility": "hold", "languages_from": "own", "languages": ["sv", "th"]}
    admin.post(f"/clients/{number}", form="/", **form)
    assert used(stack, number) == ["sv", "th"]
    page = admin.get(f"/clients/{number}").text
    assert re.search(r'value="own" checked', page)
    assert re.search(r'name="languages" value="sv" checked', page)
    eventually(lambda: patterns(stack, api, f"{END}. {SWEDISH}") == ["knulla"])
    refused = admin.post(f"/clients/{number}", form="/", **{**form, "languages": ["tlh"]})
    assert refused.status_code == 422
    assert "languages must be codes such as en or sv" in refused.text
    admin.post(f"/clients/{number}", form="/", **{**form, "languages_from": "default"})
    assert used(stack, number) is None


def test_no_language_leaves_the_rules_of_every_language(stack, new_client) -> None:
    api = Api(stack.url, new_client("", "--languages", "none"))
    assert patterns(stack, api, "You slut, buy viagra") == ["viagra"]


def test_scripts_do_what_the_page_does(stack, client) -> None:
    name, _number, api = client
    done = stack.run("rules", "language", "sv", "on", "--client", name).stdout
    assert done.splitlines() == [f"Swedish is on for {name}", f"{name} uses: en, sv"]
    listed = {row["code"]: row for row in stack.json("rules", "languages", "--json")}
    assert listed["en"]["default"] == "yes" and listed["sv"]["default"] == "no"
    assert listed["sv"]["clients"] != listed["th"]["clients"]
    assert listed["th"]["active rules"] > 0
    eventually(lambda: patterns(stack, api, END) == [])
    assert "en,sv" in stack.run("client", "list").stdout
    for arguments, sentence in (
        (("language", "tlh", "on"), "There is no language 'tlh'"),
        (("language", "sv", "on", "--client", "Nobody"), "There is no client named 'Nobody'"),
    ):
        refused = stack.run("rules", *arguments, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert sentence in refused.stderr and len(refused.stderr.splitlines()) == 1
    refused = stack.run("client", "create", "Klingon", "--languages", "en,tlh", check=False)
    assert refused.returncode == 1
    assert "languages must be codes such as en or sv, not 'tlh'" in refused.stderr


def test_a_switch_is_audited(stack, admin, client) -> None:
    name, number, _ = client
    for to in ("1", "0"):
        admin.post("/rules/languages/th", form="/rules", to=to, client=number)
    acts = stack.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", f"Thai for {name}")
    assert acts == [("rules.language_on",), ("rules.language_off",)]
    assert "switched on the rules of" in admin.get("/audit").text


def test_only_administrators_switch_languages(stack, client) -> None:
    moderator = person(stack)
    page = moderator.get("/rules").text
    assert "Languages in use" in page and 'role="switch"' not in page.split('id="rules"')[0]
    reply = moderator.post("/rules/languages/sv", form="/", to="1", client=client[1])
    assert reply.status_code == 403
    assert used(stack, client[1]) is None


@pytest.mark.parametrize("other", ["abc", "-1", " 7", "²", "١", "0", "999999999", "9" * 30])
def test_what_is_no_client_is_never_all_clients(stack, admin, other) -> None:
    reply = admin.post("/rules/languages/th", form="/rules", to="1", client=other)
    assert reply.status_code == 404
    assert re.search(r"no such client|client does not exist", reply.text)
    assert stack.sql("SELECT 1 FROM default_language WHERE language = 'th'") == []
    page = admin.get("/rules/languages", params={"client": other})
    assert page.status_code == 404


def test_what_is_no_language_is_refused(admin) -> None:
    assert admin.post("/rules/languages/xx", form="/rules", to="1").status_code == 422


def add(admin: Console, pattern: str, **more: str):
    form = {"kind": "word", "action": "reject", "label": "scam", "pattern": pattern, **more}
    return admin.post("/rules", **form)


def test_an_own_rule_of_a_language_applies_to_its_clients(stack, admin, word, client) -> None:
    _, _number, api = client
    add(admin, word, language="de")
    assert add(admin, word, language="de").status_code == 409
    assert add(admin, word, language="sv").status_code == 200
    assert patterns(stack, api, word) == []
    stack.run("rules", "language", "de", "on", "--client", client[0])
    eventually(lambda: patterns(stack, api, word) == [word])
    assert add(admin, word, language="xx").status_code == 422


def test_a_rule_moves_to_another_language_and_back(stack, admin, word) -> None:
    number = int(re.search(r"/rules/(\d+)", add(admin, word).url)[1])
    rule_set = "SELECT s.name FROM rule r JOIN rule_set s ON s.id = r.rule_set_id WHERE r.id = %s"
    form = {"kind": "word", "action": "reject", "label": "scam", "pattern": word}
    admin.post(f"/rules/{number}", form="/rules", **form, language="sv", inflections="1")
    assert stack.sql(rule_set, number) == [("Own rules: Swedish",)]
    page = admin.get(f"/rules/{number}").text
    assert "Own rules: Swedish" in page and re.search(r'name="inflections"[^>]* checked', page)
    back = re.search(r'name="version" value="([^"]+)"', page)[1]
    admin.post(f"/rules/{number}/version", form="/rules", version=back)
    assert stack.sql(rule_set, number) == [("Own rules",)]
    assert stack.sql("SELECT inflections FROM rule WHERE id = %s", number) == [(False,)]


def test_inflected_forms_are_shown_while_typing_and_match(stack, admin, word, client) -> None:
    tried = {"kind": "word", "pattern": word, "action": "reject", "text": f"two {word}s"}
    on = admin.post("/rules/try", form="/rules", headers=FRAGMENT, inflections="1", **tried).text
    assert "Inflected forms" in on and f"<code>{word}s</code>" in on
    assert f'<mark class="reject">{word}s</mark>' in on
    off = admin.post("/rules/try", form="/rules", headers=FRAGMENT, **tried).text
    assert "Inflected forms" not in off and "<mark" not in off
    thai = {**tried, "language": "th", "inflections": "1"}
    text = admin.post("/rules/try", form="/rules", headers=FRAGMENT, **thai).text
    assert "no endings of this language" in text
    add(admin, word, inflections="1")
    eventually(lambda: patterns(stack, client[2], f"two {word}s") == [word])


def test_the_dry_run_looks_at_clients_that_use_the_language(stack, admin, word, client) -> None:
    swedish = Api(
        stack.url, stack.json("client", "create", word, "--languages", "sv", "--json")["key"]
    )
    for api in (client[2], swedish):
        api.decided(title=f"Selling {word}")
    tried = {"kind": "word", "pattern": word, "action": "review"}
    for language, hits in (("", 2), ("en", 1), ("sv", 1), ("th", 2)):
        reply = admin.post(
            "/rules/try", form="/rules", headers=FRAGMENT, language=language, **tried
        )
        assert reply.text.count(f'<mark class="review">{word}</mark>') == hits, language


def test_files_carry_languages_and_forms(stack, admin, word, tmp_path) -> None:
    path = tmp_path / "rules.csv"
    path.write_text(
        "kind,pattern,action,label,inflections,rule_set,language\n"
        f"word,{word},review,hate,1,,sv\n"
        f"word,{word},review,hate,,Set {word},de\n"
        f"word,{word}b,review,hate,,,every\n"
    )
    assert "3 added" in stack.run("rules", "import", str(path)).stdout
    rows = list(csv.DictReader(io.StringIO(admin.get(f"/rules/export.csv?q={word}").text)))
    assert sorted((row["rule_set"], row["language"], row["inflections"]) for row in rows) == [
        ("Own rules", "every", "0"),
        ("Own rules: Swedish", "sv", "1"),
        (f"Set {word}", "de", "0"),
    ]
    path.write_text(admin.get(f"/rules/export.csv?q={word}").text)
    assert "3 unchanged" in stack.run("rules", "import", str(path)).stdout
    path.write_text(f"kind,pattern,action,label,language\nword,{word},reject,hate,sv\n")
    assert "1 changed" in stack.run("rules", "import", str(path)).stdout
    changed = "SELECT inflections, action FROM rule WHERE pattern = %s ORDER BY id"
    assert stack.sql(changed, word) == [(True, "reject"), (False, "review")]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("word,{word},review,hate,1,,xx", "language must be a code such as en or sv"),
        ("word,{word},review,hate,perhaps,,", "inflections must be 1 or 0"),
        ("word,{word},review,hate,,Own rules,sv", "has the language"),
    ],
)
def test_a_row_that_is_wrong_is_named(stack, word, tmp_path, row, sentence) -> None:
    path = tmp_path / "rules.csv"
    head = "kind,pattern,action,label,inflections,rule_set,language\n"
    path.write_text(head + row.format(word=word) + "\n")
    refused = stack.run("rules", "import", str(path), check=False)
    assert refused.returncode == 1
    assert sentence in refused.stderr


def test_a_file_of_an_older_release_changes_the_starter_rule(stack, tmp_path) -> None:
    path = tmp_path / "rules.csv"
    for active in ("0", "1"):
        path.write_text(f"kind,pattern,action,label,active\nword,fisting,review,sexual,{active}\n")
        assert "1 changed" in stack.run("rules", "import", str(path)).stdout
        found = stack.sql("SELECT source, active FROM rule WHERE pattern = 'fisting'")
        assert found == [("starter", active == "1")]
