"""Policies on the page and in effect: by client and surface, versions, scores in replies."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.receiver import receiving
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def shop(stack: Stack, new_client) -> tuple[Api, int]:
    """A client of its own, and its number."""
    name = f"policy-{uuid4().hex[:8]}"
    its = Api(stack.url, new_client(name))
    [(number,)] = stack.sql("SELECT id FROM client WHERE name = %s", name)
    return its, number


def place(client: int, surface: str = "") -> str:
    return f"/policies/edit?client={client}&surface={surface}"


def save(admin: Console, path: str, **fields: str):
    fields = {name.replace("__", "-"): value for name, value in fields.items()}
    seen = re.search(r'name="seen" value="(\d+)"', admin.get(path).text)
    return admin.post(path, form="/", **{"seen": seen[1] if seen else "0", **fields})


def test_a_surface_has_its_own_thresholds_and_the_others_do_not(admin, shop) -> None:
    api, client = shop
    lenient = save(
        admin, place(client, "art"), reject_at__nudity="never", review_at__nudity="never"
    )
    assert lenient.status_code == 200 and "Saved" in lenient.text
    told = eventually(
        lambda: (
            t
            if (t := api.decided(unique("reject_a.jpg"), surface="art"))["verdict"] == "approved"
            else None
        )
    )
    assert (told["surface"], told["flagged"]) == ("art", [])
    assert told["scores"]["nudity"] > 0.8 and isinstance(told["policy_version"], int)
    other = api.decided(unique("reject_b.jpg"), surface="listing")
    assert (other["verdict"], other["surface"]) == ("rejected", "listing")
    plain = api.decided(title="A chair")
    assert (plain["surface"], plain["scores"], plain["flagged"]) == ("default", {}, [])


def test_replies_and_webhooks_tell_the_scores(stack: Stack, admin) -> None:
    with receiving() as hook:
        name = f"hooked-{uuid4().hex[:8]}"
        made = stack.json("client", "create", name, "--webhook", hook.url, "--json")
        told = Api(stack.url, made["key"]).decided(unique("reject_a.jpg"), surface="avatar")
        assert told["flagged"] == ["nudity"] == [r["label"] for r in told["reasons"]]
        data = eventually(lambda: next(iter(hook.calls), None)).told["data"]
        for part in ("surface", "scores", "flagged", "policy_version"):
            assert data[part] == told[part], part


def test_versions_and_restore(stack: Stack, admin, shop) -> None:
    api, client = shop
    save(admin, place(client), reject_at__nudity="0.9", why="Fewer false alarms")
    save(admin, place(client), reject_at__nudity="0.95", sample_rate="1")
    page = admin.get(place(client)).text
    assert "Fewer false alarms" in page and "<b>0.95</b>" in page
    told = eventually(
        lambda: t if (t := api.decided(title="A vase"))["verdict"] == "review" else None
    )
    assert told["flagged"] == [], "a random sample accuses nobody"
    back = admin.post(f"/policies/restore?client={client}", form="/", version="1")
    assert back.status_code == 200
    rows = stack.sql(
        "SELECT v.number, v.document, v.why FROM policy_version v"
        " JOIN policy p ON p.id = v.policy_id WHERE p.client_id = %s ORDER BY v.number",
        client,
    )
    assert [row[0] for row in rows] == [1, 2, 3]
    assert rows[2][1] == rows[0][1] and rows[2][2] == "Version 1 again"
    eventually(lambda: api.decided(title="A jug")["verdict"] == "approved")


def test_two_people_change_one_policy(admin, shop) -> None:
    _, client = shop
    assert save(admin, place(client), reject_at__nudity="0.9").status_code == 200
    late = save(admin, place(client), reject_at__nudity="0.85", seen="0")
    assert late.status_code == 409
    assert "has made version 1 of this policy since you opened it" in late.text
    assert 'value="0.85"' in late.text, "what was entered is still there"


WRONG = {
    "above one": ({"reject_at__nudity": "1.2"}, "must be a number from 0 to 1"),
    "no number": ({"review_at__nudity": "often"}, "Enter a number from 0 to 1"),
    "contrary": ({"review_at__nudity": "0.9"}, "is above reject from 0.8"),
    "no visibility": ({"visibility": "sometimes"}, "Choose one of the options"),
    "a long why": ({"why": "x" * 301}, "at most 300 characters"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_save_nothing(stack: Stack, admin, shop, case: str) -> None:
    _, client = shop
    fields, words = WRONG[case]
    reply = save(admin, place(client), **fields)
    assert reply.status_code == 422 and words in reply.text
    assert not stack.sql("SELECT 1 FROM policy WHERE client_id = %s", client)


def test_the_default_surface_is_the_clients_own_policy(admin, shop) -> None:
    refused = save(admin, place(shop[1], "default"), **{"reject_at-nudity": "0.9"})
    assert refused.status_code == 422 and "is the client" in refused.text


def test_a_version_id_of_a_reply_leads_to_its_policy(admin, shop) -> None:
    api, client = shop
    save(admin, place(client, "art"), **{"reject_at-nudity": "0.95"})
    version = eventually(
        lambda: v if (v := api.decided(title="A jug", surface="art")["policy_version"]) else 0
    )
    page = admin.get(f"/policies/version/{version}")
    assert page.status_code == 200 and f'id="version-{version}"' in page.text
    assert admin.get("/policies/version/99999999999999999999").status_code == 404


def test_blank_on_the_servers_policy_is_the_setting(admin) -> None:
    page = admin.get("/policies/edit").text
    assert 'placeholder="0.2"' in page and 'placeholder="0.8"' in page


@pytest.mark.parametrize("surface", ["Avatar", "a b", "x" * 41, "-a", "ä", "default "])
def test_surfaces_that_are_none(api: Api, admin, shop, surface: str) -> None:
    reply = api.submit(title="x", surface=surface)
    assert reply.status_code == 422 and reply.json()["field"] == "surface"
    assert admin.get(place(shop[1], surface)).status_code == 422


def test_the_default_has_two_spellings(api: Api) -> None:
    assert api.decided(title="A chair", surface="default")["surface"] == "default"
    assert api.decided(title="A chair", surface="")["surface"] == "default"


def test_a_replay_says_what_would_change_and_saves_nothing(stack: Stack, admin, shop) -> None:
    api, client = shop
    for _ in range(3):
        assert api.decided(unique("reject_a.jpg"))["verdict"] == "rejected"
    assert api.decided(title="A chair")["verdict"] == "approved"
    path = f"/policies/replay?client={client}"
    tried = admin.post(path, form="/", headers=FRAGMENT, reject_at__nudity="x")
    told = admin.post(path, form="/", headers=FRAGMENT, **{"reject_at-nudity": "never"})
    assert tried.status_code == 200
    assert "<strong>3 verdicts</strong> of 4 would change" in told.text
    wrong = admin.post(path, form="/", headers=FRAGMENT, **{"reject_at-nudity": "7"})
    assert "must be a number from 0 to 1" in wrong.text
    whole = admin.post(path, form="/", **{"reject_at-nudity": "never"})
    assert "would change" in whole.text, "without JavaScript too"
    assert not stack.sql("SELECT 1 FROM policy WHERE client_id = %s", client)


def test_applied_live_verdicts_are_the_replays(admin, shop) -> None:
    """A replay of a policy over what it decided changes nothing."""
    api, client = shop
    fields = {"reject_at-nudity": "0.99", "review_at-nudity": "0.5"}
    save(admin, place(client), **fields)
    eventually(lambda: api.decided("reject_a.jpg", surface="wait")["verdict"] == "review")
    for picture in ("reject_b.jpg", "review_b.jpg", "safe_chelsea.jpg"):
        api.decided(unique(picture), surface="real")
    path = f"/policies/replay?client={client}&surface=real"
    told = admin.post(path, form="/", headers=FRAGMENT, **fields)
    assert "<strong>0 verdicts</strong> of 3 would change" in told.text


def test_only_administrators_change_policies(stack: Stack, shop) -> None:
    moderator = person(stack)
    assert moderator.get("/policies").status_code == 200
    assert moderator.get(place(shop[1])).status_code == 200
    for path in (place(shop[1]), f"/policies/restore?client={shop[1]}"):
        assert moderator.post(path, form="/", version="1", seen="0").status_code == 403
    assert moderator.get("/policies/edit?client=99999999").status_code == 404


def test_the_settings_are_the_first_version_of_the_servers_policy(stack: Stack) -> None:
    rows = stack.sql(
        "SELECT v.document, v.why FROM policy_version v JOIN policy p ON p.id = v.policy_id"
        " WHERE p.client_id IS NULL ORDER BY v.number"
    )
    document = rows[0][0]
    assert document["labels"]["nudity"] == {"review_at": 0.2, "reject_at": 0.8}
    assert rows[0][1].startswith("From the settings")


def test_the_search_finds_a_surface(admin, shop) -> None:
    api, _ = shop
    surface = f"s{uuid4().hex[:8]}"
    told = api.decided(title="A rare chair", surface=surface)
    assert told["job_id"] in admin.get(f"/submissions?surface={surface}").text
    assert surface in admin.get("/policies").text, "a surface that was sent is listed"


def test_a_client_that_the_release_before_adds_keeps_what_it_shows(stack: Stack, admin) -> None:
    name = f"old-{uuid4().hex[:8]}"
    columns = "INSERT INTO client (name, visibility, publish_unchecked) VALUES (%s, %s, true)"
    stack.sql(columns, name, "publish_first")
    eventually(lambda: "publish first" in admin.get("/policies").text.split(name)[1][:900], 10)
