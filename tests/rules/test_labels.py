"""Labels as rows: the page, the script, and everything that refers to a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.policies import set_policy
from tests.support.stack import Stack

FACTS = {
    "title": "",
    "button": "",
    "author_text": "It offers drugs.",
    "guidance": "Look at the second picture.",
    "category": "UNSAFE_AND_PROHIBITED_PRODUCTS",
}


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def name(stack: Stack) -> Iterator[str]:
    """A new label's name; what the test made of it is gone afterwards."""
    new = f"drugs_{uuid4().hex[:8]}"
    yield new
    stack.sql("DELETE FROM rule WHERE label = %s", new)
    stack.sql("DELETE FROM known_hash WHERE label = %s", new)
    stack.sql("DELETE FROM label WHERE name = %s", new)
    stack.sql("UPDATE revision SET number = number + 1 WHERE name IN ('labels', 'rules')")


def facts(name: str, **more: str) -> dict[str, str]:
    return {"form": "/labels", **FACTS, "title": name.replace("_", " ").capitalize(), **more}


def add(admin: Console, name: str, **more: str) -> requests.Response:
    return admin.post("/labels", name=name, **facts(name, **more))


def order(stack: Stack) -> list[str]:
    return [row["name"] for row in stack.json("labels", "list", "--json") if row["key"]]


def test_a_new_label_is_known_everywhere(
    stack: Stack, admin: Console, api: Api, name: str, tmp_path
) -> None:
    assert add(admin, name, graphic="1").status_code == 200
    title = name.replace("_", " ").capitalize()
    for page in ("/labels", "/rules/new", "/rules", "/known-images", "/submissions"):
        eventually(lambda page=page: title in admin.get(page).text, 10)
    told = next(row for row in labels_of(api) if row["name"] == name)
    assert (told["title"], told["author_text"], told["retired"]) == (
        title,
        "It offers drugs.",
        False,
    )
    sheet = tmp_path / "rules.csv"
    sheet.write_text(f"kind,pattern,action,label\nword,zq{name},reject,{name}\n")
    assert "1 added" in stack.run("rules", "import", str(sheet)).stdout
    reason = eventually(
        lambda: next(iter(api.decided(title=f"buy zq{name} now")["reasons"]), None), 10
    )
    assert (reason["label"], reason["author_text"]) == (name, "It offers drugs.")


def labels_of(api: Api) -> list[dict[str, object]]:
    reply = api.http.get(f"{api.base}/labels")
    assert reply.status_code == 200
    return reply.json()


def test_a_person_rejects_for_it_and_the_search_finds_it(
    stack: Stack, admin: Console, api: Api, name: str
) -> None:
    add(admin, name)
    told = api.decided("review_a.jpg", title="A vase", user_id=f"of-{name}")
    its = f"/submissions/{told['job_id']}"
    page = eventually(  # it stands under More reasons
        lambda: text if f'value="rejected:{name}"' in (text := admin.get(its).text) else "", 10
    )
    version = page.split('name="version" value="')[1].split('"')[0]
    assert admin.decide(told["job_id"], version, f"rejected:{name}").status_code == 200
    [reason] = api.status(told["job_id"])["reasons"]
    assert (reason["label"], reason["author_text"]) == (name, "It offers drugs.")


def test_its_texts_change_but_not_its_name(admin: Console, api: Api, name: str) -> None:
    add(admin, name)
    reply = admin.post(f"/labels/{name}", **facts(name, title="Other title", author_text="New."))
    assert reply.status_code == 200 and "Saved" in reply.text
    eventually(
        lambda: any(
            (row["name"], row["title"], row["author_text"]) == (name, "Other title", "New.")
            for row in labels_of(api)
        ),
        10,
    )


def test_two_people_change_one_label(admin: Console, name: str) -> None:
    add(admin, name)
    seen = re.search(r'name="seen" value="([\d.]+)"', admin.get(f"/labels/{name}").text)
    assert seen
    first = admin.post(f"/labels/{name}", **facts(name, guidance="One.", seen=seen[1]))
    assert first.status_code == 200
    second = admin.post(f"/labels/{name}", **facts(name, guidance="Two.", seen=seen[1]))
    assert second.status_code == 409
    assert "Somebody has changed this label" in second.text and ">Two.</textarea>" in second.text
    assert "One." in admin.get(f"/labels/{name}").text


def test_the_order_decides_the_keys(stack: Stack, admin: Console, name: str) -> None:
    before = order(stack)
    add(admin, name)
    assert order(stack) == before, "a new label is the last one"
    assert admin.post(f"/labels/{name}/place", form="/labels", place="1").status_code == 200
    assert order(stack) == [name, *before[:8]]
    assert stack.run("labels", "move", name, "3").returncode == 0
    assert order(stack) == [*before[:2], name, *before[2:8]]
    stack.run("labels", "retire", name)
    assert order(stack) == before


@pytest.mark.parametrize("place", ["0", "999", "-1", "two", ""])
def test_a_place_that_there_is_not(stack: Stack, admin: Console, place: str) -> None:
    before = order(stack)
    reply = admin.post("/labels/scam/place", form="/labels", place=place)
    assert reply.status_code == 422 and "place must be" in reply.text
    assert order(stack) == before


def test_a_label_in_use_is_not_retired(
    stack: Stack, admin: Console, api: Api, name: str, tmp_path
) -> None:
    add(admin, name)
    sheet = tmp_path / "rules.csv"
    sheet.write_text(f"kind,pattern,action,label\nword,zq{name},reject,{name}\n")
    stack.run("rules", "import", str(sheet))
    refused = admin.post(f"/labels/{name}/retire", form="/labels")
    assert refused.status_code == 409 and "is the label of 1 rule" in refused.text
    assert "is the label of 1 rule" in stack.run("labels", "retire", name, check=False).stderr
    stack.sql("DELETE FROM rule WHERE label = %s", name)
    assert admin.post(f"/labels/{name}/retire", form="/labels").status_code == 200
    eventually(lambda: f'value="{name}"' not in admin.get("/rules/new").text, 10)
    assert next(row for row in labels_of(api) if row["name"] == name)["retired"]
    again = stack.run("rules", "import", str(sheet), check=False)
    assert again.returncode == 1 and f"The label {name} is retired" in again.stderr
    assert admin.post(f"/labels/{name}/restore", form="/labels").status_code == 200
    assert stack.run("rules", "import", str(sheet)).returncode == 0


def test_a_label_with_thresholds_in_a_policy_is_not_retired(
    stack: Stack, admin: Console, name: str
) -> None:
    add(admin, name)
    client = f"Of {name}"
    stack.json("client", "create", client, "--json")
    set_policy(stack, client, labels={name: {"review_at": 0.5}})
    refused = stack.run("labels", "retire", name, check=False)
    assert refused.returncode == 1 and "is the label of 1 policy" in refused.stderr
    set_policy(stack, client)
    assert stack.run("labels", "retire", name).returncode == 0


@pytest.mark.parametrize("needed", ["nudity", "other", "unreadable", "known", "error"])
def test_labels_that_sluice_needs_stay(stack: Stack, needed: str) -> None:
    refused = stack.run("labels", "retire", needed, check=False)
    assert refused.returncode == 1 and "cannot be retired" in refused.stderr


WRONG = {
    "no title": ({"title": " "}, "A label needs a title."),
    "no text": ({"author_text": ""}, "A label needs a sentence for the author"),
    "a long title": ({"title": "x" * 41}, "title must have at most 40 characters."),
    "a title twice": ({"title": "SCAM"}, "Another label has the title"),
    "a category that is none": ({"category": "NONSENSE"}, "category must be one of"),
    "a NUL": ({"guidance": "a\0b"}, "contains a character that cannot be shown"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_facts_are_refused_with_the_form(
    stack: Stack, admin: Console, name: str, case: str
) -> None:
    wrong, words = WRONG[case]
    reply = add(admin, name, **wrong)
    assert reply.status_code in (409, 422) and words in reply.text
    assert f'value="{name}"' in reply.text, "the form keeps what was written"
    assert not stack.sql("SELECT 1 FROM label WHERE name = %s", name)


@pytest.mark.parametrize("wrong", ["", "Drugs", "1st", "a b", "a-b", "x" * 41, "ä", "new", "scam"])
def test_wrong_names_are_refused(stack: Stack, admin: Console, wrong: str) -> None:
    before = stack.sql("SELECT count(*) FROM label")
    reply = add(admin, wrong)
    assert reply.status_code in (409, 422)
    assert "A name must have" in reply.text or "There is a label" in reply.text
    assert stack.sql("SELECT count(*) FROM label") == before


def test_an_unknown_label_is_refused_with_the_labels_there_are(stack: Stack, tmp_path) -> None:
    sheet = tmp_path / "rules.csv"
    sheet.write_text("kind,pattern,action,label\nword,zqsomething,reject,nonsense\n")
    refused = stack.run("rules", "import", str(sheet), check=False)
    assert refused.returncode == 1
    assert "There is no label 'nonsense'. The labels are nudity, sexual" in refused.stderr


def test_only_administrators_change_labels(stack: Stack, name: str) -> None:
    moderator = person(stack)
    assert moderator.get("/labels").status_code == 200
    assert moderator.get("/labels/scam").status_code == 200
    assert moderator.get("/labels/new").status_code == 403
    for path in ("/labels", "/labels/scam", "/labels/scam/place", "/labels/scam/retire"):
        assert moderator.post(path, name=name, **facts(name, form="/")).status_code == 403
    for missing in ("nonsense", "a%20b", "%00"):  # nginx refuses the last one
        assert moderator.get(f"/labels/{missing}").status_code in (400, 404)


def test_what_was_done_is_in_the_audit(stack: Stack, admin: Console, name: str) -> None:
    add(admin, name)
    admin.post(f"/labels/{name}", **facts(name, title="Weed"))
    admin.post(f"/labels/{name}/retire", form="/labels")
    rows = stack.sql("SELECT action, details FROM audit WHERE subject = %s ORDER BY id", name)
    assert [row[0] for row in rows] == ["label.add", "label.change", "label.retire"]
    assert rows[1][1]["changes"]["title"][1] == "Weed"
    assert "retired the label" in admin.get("/audit").text
