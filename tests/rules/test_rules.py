"""The rules page: adding, changing, removing and their undo, trying, versions, files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from tests.support.api import Api, eventually
from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def word() -> str:
    """A word that no other test has, of letters alone."""
    return "zq" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])


@pytest.fixture
def make(admin: Console):
    """Adds a rule through its form; answers its number."""

    def add(pattern: str, kind: str = "word", action: str = "reject", label: str = "scam") -> int:
        reply = admin.post("/rules", kind=kind, pattern=pattern, action=action, label=label)
        assert reply.status_code == 200, reply.text
        return int(re.search(r"/rules/(\d+)", reply.url)[1])

    return add


@pytest.fixture
def uncompilable(stack: Stack, word: str) -> Iterator[int]:
    """A rule that this version cannot compile, as an older one may have left it; its number."""
    [(number,)] = stack.sql(
        "WITH bump AS (UPDATE revision SET number = number + 1 WHERE name = 'rules')"
        " INSERT INTO rule (kind, pattern, action, label) VALUES ('regex', %s, 'reject', 'scam')"
        " RETURNING id",
        rf"({word})\1",
    )
    yield number
    stack.sql(
        "WITH bump AS (UPDATE revision SET number = number + 1 WHERE name = 'rules')"
        " DELETE FROM rule WHERE id = %s",
        number,
    )


def health_of_rules(stack: Stack) -> tuple[str, str]:
    parts = requests.get(f"{stack.url}/readyz").json()["parts"]
    return next((part["state"], part["detail"]) for part in parts if part["name"] == "Rules")


def test_a_rule_that_does_not_compile_is_reported_and_the_others_work(
    api: Api, stack: Stack, admin: Console, make, word: str, uncompilable: int
) -> None:
    make(f"{word}works")
    reason = "The regular expression is not valid: invalid escape sequence"
    # Each of the two web processes learns of it by itself, so a part is asked for once.
    near = eventually(lambda: part if (part := health_of_rules(stack))[0] == "near" else None)
    detail = near[1]
    assert detail.startswith(f"rule {uncompilable} does not compile: {reason}"), detail
    eventually(lambda: detail in stack.run("status").stdout)
    eventually(lambda: admin.get(f"/rules?q={word}").text.count("does not compile") == 1)
    page = eventually(
        lambda: text if "does not compile" in (text := admin.get(f"/rules?q={word}").text) else ""
    )
    row = page.split(f'id="rule-{uncompilable}"')[1].split("</li>")[0]
    assert f"does not compile: {reason}" in row
    assert reason in admin.get(f"/rules/{uncompilable}").text
    eventually(
        lambda: api.decided(title=f"{word}works, {word}{word}")["reasons"][0]["label"] == "scam"
    )
    # The priority worker takes uploads too while it has nothing else to do.
    logs = (path for kind in ("worker", "priority") for path in stack.home.glob(f"log/{kind}*.log"))
    logged = "".join(path.read_text() for path in logs)
    assert f"rule {uncompilable} does not compile and is ignored: {reason}" in logged


def test_a_rule_that_is_switched_off_does_not_worry_the_health(
    stack: Stack, admin: Console, word: str, uncompilable: int
) -> None:
    eventually(lambda: f"rule {uncompilable}" in health_of_rules(stack)[1])
    admin.post(f"/rules/{uncompilable}/switch", form=f"/rules?q={word}", to="0")
    eventually(lambda: health_of_rules(stack) == ("ok", "all compile"))
    eventually(lambda: "does not compile" in admin.get(f"/rules?q={word}").text)


def facts(stack: Stack, number: int) -> tuple:
    [row] = stack.sql(
        "SELECT kind, pattern, action, label, active, removed_at IS NULL FROM rule WHERE id = %s",
        number,
    )
    return row


def audited(stack: Stack, number: int) -> list[str]:
    rows = stack.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", f"rule {number}")
    return [row[0] for row in rows]


def send(console: Console, path: str, text: str, name: str = "rules.csv"):
    """Send a file to an import; the reply is the preview."""
    data = {"csrf_token": console.token("/rules/import")}
    files = {"file": (name, text.encode(), "text/csv")}
    return console.http.post(console.url + path, data=data, files=files)


def apply(console: Console, preview, path: str = "/rules/import"):
    """Press the preview's button."""
    sent = re.search(r'name="rows" value="([^"]*)"', preview.text)[1]
    rows = sent.replace("&#34;", '"').replace("&#39;", "'").replace("&lt;", "<")
    rows = rows.replace("&gt;", ">").replace("&amp;", "&")
    return console.post(path, form="/rules/import", rows=rows, name="x.csv", step="apply")


def test_a_rule_is_live_in_workers_within_seconds(api: Api, make, word):
    make(word)
    told = eventually(
        lambda: told if (told := api.decided(title=f"About {word}"))["verdict"] == "rejected" else 0
    )
    assert told["reasons"][0]["label"] == "scam"


def test_switching_off_and_on_holds_and_is_audited(stack, admin, make, word, api: Api):
    number = make(word)
    admin.post(f"/rules/{number}/switch", form="/rules", to="0")
    assert facts(stack, number)[4] is False
    eventually(lambda: api.decided(title=f"About {word}")["verdict"] == "approved")
    admin.post(f"/rules/{number}/switch", form="/rules", to="1")
    assert facts(stack, number)[4] is True
    assert audited(stack, number) == ["rule.add", "rule.switch", "rule.switch"]


def test_a_removed_rule_can_come_back(stack, admin, make, word):
    number = make(word)
    reply = admin.post(f"/rules/{number}/remove", form="/rules")
    assert "Removed" in reply.text
    assert "Undo" in reply.text
    assert facts(stack, number)[5] is False
    assert word not in admin.get("/rules", params={"q": word}, headers=FRAGMENT).text.split(
        "No rule matches this filter"
    )[0].replace(f'value="{word}"', "").replace(f"q={word}", "")
    row = admin.post(f"/rules/{number}/restore", form="/rules", headers=FRAGMENT).text
    assert f'id="rule-{number}"' in row
    assert facts(stack, number)[4:] == (True, True)
    assert audited(stack, number)[-2:] == ["rule.remove", "rule.restore"]


def test_adding_a_removed_pattern_brings_its_row_back(stack, admin, make, word):
    number = make(word)
    admin.post(f"/rules/{number}/remove", form="/rules")
    assert make(word, action="review") == number
    assert facts(stack, number) == ("word", word, "review", "scam", True, True)


def test_a_second_rule_of_the_pattern_is_refused_beside_the_field(admin, make, word):
    make(word)
    reply = admin.post("/rules", kind="word", pattern=word, action="allow", label="other")
    assert reply.status_code == 409
    assert "A word rule with this pattern already exists." in reply.text
    assert f'value="{word}"' in reply.text


@pytest.mark.parametrize(
    ("kind", "pattern", "sentence"),
    [
        ("word", "two words", "Make it a phrase"),
        ("regex", "(", "is not valid"),
        ("regex", "x*", "would match always"),
        ("domain", "not a host", "must look like example.com"),
        ("word", "  ", "empty"),
        ("nonsense", "x", "kind must be one of"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_sentence(admin, kind, pattern, sentence):
    reply = admin.post("/rules", kind=kind, pattern=pattern, action="reject", label="scam")
    assert reply.status_code == 422
    assert sentence in reply.text or kind == "nonsense"


def test_versions_show_who_and_lead_back(stack, admin, make, word):
    number = make(word)
    admin.post(
        f"/rules/{number}", form="/rules", kind="word", pattern=word, action="allow", label="hate"
    )
    assert facts(stack, number)[2:4] == ("allow", "hate")
    page = admin.get(f"/rules/{number}").text
    assert "Revert to this" in page
    back = re.search(r'name="version" value="([^"]+)"', page)[1]
    admin.post(f"/rules/{number}/version", form="/rules", version=back)
    assert facts(stack, number)[2:4] == ("reject", "scam")
    (before, after) = stack.sql(
        "SELECT details->'before'->>'action', details->'after'->>'action' FROM audit"
        " WHERE subject = %s ORDER BY id DESC LIMIT 1",
        f"rule {number}",
    )[0]
    assert (before, after) == ("allow", "reject")


def test_a_version_of_another_rule_does_not_lead_anywhere(stack, admin, make, word):
    one, other = make(word), make(word + "b")
    [(foreign,)] = stack.sql("SELECT max(id) FROM audit WHERE subject = %s", f"rule {other}")
    for version in (f"{foreign}-after", "1-nothing", "x", f"{foreign}-before"):
        reply = admin.post(f"/rules/{one}/version", form="/rules", version=version)
        assert reply.status_code == 404


def test_two_people_do_not_overwrite_each_other(stack, admin, make, word):
    number = make(word)
    seen = re.search(r'name="seen" value="([^"]+)"', admin.get(f"/rules/{number}").text)[1]
    form = {"kind": "word", "pattern": word, "label": "scam"}
    person(stack, "administrator", name=f"first-{word[:6]}").post(
        f"/rules/{number}", form="/rules", action="review", seen=seen, **form
    )
    reply = admin.post(f"/rules/{number}", form="/rules", action="allow", seen=seen, **form)
    assert reply.status_code == 409
    assert f"first-{word[:6]} has changed this rule" in reply.text
    assert facts(stack, number)[2] == "review"


def test_trying_shows_hits_and_what_people_said_and_stores_nothing(stack, api: Api, admin, word):
    title = f"Selling {word} today"
    ids = [api.decided(title=title, description=f"n{n}")["job_id"] for n in range(3)]
    decider = person(stack)
    [(version,)] = stack.sql("SELECT version FROM submission WHERE id = %s", ids[0])
    decider.decide(ids[0], str(version), "approved")
    before = stack.sql("SELECT count(*) FROM rule")
    reply = admin.post(
        "/rules/try",
        form="/rules",
        kind="word",
        pattern=word,
        action="reject",
        text=f"so: {word}!",
        headers=FRAGMENT,
    )
    assert reply.status_code == 200
    assert reply.text.count(f'<mark class="reject">{word}</mark>') == 4
    assert "1 likely false positive" in reply.text
    assert stack.sql("SELECT count(*) FROM rule") == before


def test_trying_works_without_javascript_and_knows_exceptions(api: Api, admin, make, word):
    make(f"{word} museum", kind="phrase", action="allow")
    api.decided(title=f"Visit the {word} museum")
    reply = admin.post("/rules/try", form="/rules", kind="word", pattern=word, action="reject")
    assert "<h1" in reply.text
    assert "excepted by an allow rule" in reply.text
    assert "No recent submission matches" in reply.text


def test_trying_what_is_no_rule_says_why(admin):
    reply = admin.post(
        "/rules/try", form="/rules", kind="regex", pattern="(", action="reject", headers=FRAGMENT
    )
    assert reply.status_code == 200
    assert "is not valid" in reply.text


def test_markup_survives_as_text_everywhere(api: Api, admin, make, word):
    evil = f"<script>{word}</script>"
    number = make(evil, kind="phrase", action="review")
    api.decided(title=f'<img src=x onerror="{word}"> {evil}')
    pages = [
        admin.get("/rules").text,
        admin.get(f"/rules/{number}").text,
        admin.post(
            "/rules/try",
            form="/rules",
            kind="phrase",
            pattern=evil,
            action="review",
            text=evil,
            headers=FRAGMENT,
        ).text,
    ]
    for page in pages:
        assert f"<script>{word}" not in page
        assert "<img src=x" not in page


def test_the_list_is_filtered_in_the_address_and_paged_by_key(admin, stack, word):
    rows = "".join(
        f"word,{word}{chr(97 + n // 26)}{chr(97 + n % 26)},review,hate\n" for n in range(70)
    )
    assert apply(admin, send(admin, "/rules/import", "kind,pattern,action,label\n" + rows)).ok
    query = {"q": word, "kind": "word", "action": "review", "label": "hate", "state": "on"}
    page = admin.get("/rules", params=query).text
    assert "70 rules" in page
    first = re.findall(r'id="rule-(\d+)"', page)
    after = re.search(r"after=(\d+)", page)[1]
    more = admin.get("/rules", params={**query, "after": after}, headers=FRAGMENT).text
    second = re.findall(r'id="rule-(\d+)"', more)
    assert len(first) == 60
    assert len(second) == 10
    assert not set(first) & set(second)
    assert (
        "No rule matches this filter" in admin.get("/rules", params={**query, "state": "off"}).text
    )


def test_selected_rules_are_switched_together_and_back(stack, admin, make, word):
    numbers = [make(word + end) for end in "abc"]
    reply = admin.post("/rules/switch", form="/rules", active="0", rule=numbers[:2])
    assert "2 rules switched off" in reply.text
    assert [facts(stack, number)[4] for number in numbers] == [False, False, True]
    fragment = admin.post(
        "/rules/switch", form="/rules", active="1", rule=numbers, headers=FRAGMENT
    ).text
    assert "2 rules switched on" in fragment
    assert 'hx-swap-oob="innerHTML:#notices"' in fragment


def test_an_import_is_shown_before_it_happens(stack, admin, make, word):
    make(word, action="reject")
    text = "kind,pattern,action,label,active\n"
    text += f"word,{word},review,scam,0\nphrase,{word} two,allow,other,1\n"
    preview = send(admin, "/rules/import", text)
    assert preview.status_code == 200
    assert "Nothing is imported yet" in preview.text
    assert "Reject → <b>Review</b>" in preview.text
    assert stack.sql("SELECT count(*) FROM rule WHERE pattern LIKE %s", f"{word}%") == [(1,)]
    done = apply(admin, preview)
    assert "1 rule added, 1 changed" in done.text
    rows = stack.sql(
        "SELECT kind, action, active FROM rule WHERE pattern LIKE %s ORDER BY id", f"{word}%"
    )
    assert rows == [("word", "review", False), ("phrase", "allow", True)]


def test_an_import_with_wrong_rows_names_them_and_does_nothing(stack, admin, word):
    rest = f"regex,(,reject,scam\nword,{word},allow,scam\nword,{word}c,burn,scam\n"
    text = f"kind,pattern,action,label\nword,{word},reject,scam\nword,a b,reject,scam\n{rest}"
    reply = send(admin, "/rules/import", text)
    assert reply.status_code == 422
    for row in ("Row 2", "Row 3", "Row 4", "Row 5"):
        assert row in reply.text
    assert "same rule as in row 1" in reply.text
    rows = [{"kind": "word", "pattern": word, "action": "reject", "label": "scam"}, {"kind": "x"}]
    forced = admin.post("/rules/import", rows=json.dumps(rows), step="apply")
    assert forced.status_code == 422
    assert stack.sql("SELECT count(*) FROM rule WHERE pattern LIKE %s", f"{word}%") == [(0,)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Choose a file or paste"),
        ("kind,action\nword,reject\n", "pattern is missing"),
        ("[1, 2]", "not a list of objects"),
        ("[{", "is not valid JSON"),
        ("kind,pattern,action,label\n", "no rows"),
        ("\x00\x01binary", "not a text"),
    ],
)
def test_a_file_that_is_no_list_of_rules_is_refused(admin, text, sentence):
    reply = send(admin, "/rules/import", text)
    assert reply.status_code == 422
    assert sentence in reply.text


def test_what_is_exported_starts_no_formula_and_comes_back_the_same(stack, admin, make, word):
    patterns = [f"={word}()", f"+{word}", f"-{word}", f"@{word}", f"'={word}", f'"{word}, {word}"']
    for pattern in patterns:
        make(pattern, kind="phrase", action="review")
    text = admin.get("/rules/export.csv", params={"q": word}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(patterns)
    assert not [cell for row in rows for cell in row.values() if cell[0] in "=+-@"]
    preview = send(admin, "/rules/import", text)
    assert f"<dd>{len(patterns)}</dd>" in preview.text  # all are as they are
    told = admin.get("/rules/export.json", params={"q": word}).json()
    assert {row["pattern"] for row in told} == set(patterns)
    assert all(row["active"] is True for row in told)


def test_the_scripts_and_the_console_read_each_others_files(stack, admin, make, word, tmp_path):
    make(f"={word}", kind="phrase")
    path = tmp_path / "rules.csv"
    path.write_text(admin.get("/rules/export.csv", params={"q": word}).text)
    assert "1 unchanged" in stack.run("rules", "import", str(path)).stdout
    assert f"'={word}" in stack.run("rules", "export").stdout
    path.write_text("kind,pattern,action,label\nword,a b,reject,scam\n")
    done = stack.run("rules", "import", str(path), check=False)
    assert done.returncode == 1
    assert "Row 1" in done.stderr


def test_only_administrators_change_rules(stack, make, word):
    number = make(word)
    for role in ("viewer", "moderator"):
        someone = person(stack, role)
        assert someone.get(f"/rules/{number}").status_code == 200
        assert word in someone.get("/rules", params={"q": word}).text
        assert someone.get("/rules/export.json", params={"q": word}).status_code == 200
        for path in ("/rules", f"/rules/{number}", f"/rules/{number}/remove", "/rules/switch"):
            assert someone.post(path, form="/rules", rule=number).status_code == 403
        for path in ("/rules/new", "/rules/import"):
            assert someone.get(path).status_code == 403
    assert facts(stack, number)[4:] == (True, True)


def test_no_change_without_the_token_or_a_session(stack, admin, make, word):
    number = make(word)
    reply = admin.http.post(f"{admin.url}/rules/{number}/remove")
    assert reply.status_code == 400
    assert facts(stack, number)[5] is True
    assert "/sign-in" in Console(stack.url).get("/rules").url


def test_what_is_not_there_is_said_to_be_not_there(admin):
    for path in ("/rules/999999999", "/rules/99999999999999999999999"):
        assert admin.get(path).status_code == 404
    reply = admin.get("/rules", params={"kind": "x'", "state": "?", "after": "-1", "q": "\0%_\\"})
    assert reply.status_code == 200


def test_a_rule_can_ignore_its_accents_and_an_older_version_comes_back(stack, api, admin, word):
    form = {"kind": "word", "pattern": f"{word}ñ", "action": "reject", "label": "scam"}
    number = admin.post("/rules", ignore_accents="1", **form).url.rsplit("/", 1)[1].split("?")[0]
    assert "checked" in admin.get(f"/rules/{number}").text.split('name="ignore_accents"')[1][:120]
    eventually(lambda: api.decided(title=f"{word}n")["verdict"] == "rejected")
    seen = re.search(r'name="seen" value="([^"]+)"', admin.get(f"/rules/{number}").text)[1]
    admin.post(f"/rules/{number}", form="/rules", seen=seen, **form)
    [(ignores,)] = stack.sql("SELECT ignore_accents FROM rule WHERE id = %s", number)
    assert ignores is False
    eventually(lambda: api.decided(title=f"so {word}n")["verdict"] == "approved")
    page = admin.get(f"/rules/{number}").text
    assert "any accents" in page
    version = re.search(r'name="version" value="([^"]+)"', page)[1]
    admin.post(f"/rules/{number}/version", form="/rules", version=version)
    [(ignores,)] = stack.sql("SELECT ignore_accents FROM rule WHERE id = %s", number)
    assert ignores is True


def test_a_dry_run_ignores_accents_if_the_form_does(admin, word):
    form = {"kind": "word", "pattern": f"{word}ñ", "action": "reject", "text": f"{word}n"}
    for more, hits in (({}, 0), ({"ignore_accents": "1"}, 1)):
        reply = admin.post("/rules/try", form="/rules", headers=FRAGMENT, **form, **more)
        assert reply.text.count("<mark") == hits
