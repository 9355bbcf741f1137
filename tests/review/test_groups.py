"""Groups: what belongs to a flag is decided in one go, and taken back in one go."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.support.api import Api, content, drawn, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.policies import nudity, set_policy
from tests.support.stack import Stack


@pytest.fixture
def ada(stack: Stack) -> Console:
    return person(stack)


@pytest.fixture
def burst(api: Api):
    """Makes flags by one new author; answers (author, ids)."""

    def make(count: int) -> tuple[str, list[str]]:
        author = f"burst-{uuid4().hex[:8]}"
        told = [
            api.decided(unique("review_a.jpg"), title=f"Burst {n}", user_id=author)
            for n in range(count)
        ]
        assert {one["verdict"] for one in told} == {"review"}
        return author, [one["job_id"] for one in told]

    return make


def items(console: Console, job_id: str, by: str, more: str = "") -> list[str]:
    """What can be ticked on the page of a group: ``id:version``."""
    text = console.get(f"/reviews/{job_id}/group?by={by}{more}").text
    return re.findall(r'name="item" value="([^"]+)">', text)


def shop_of(stack: Stack, new_client) -> tuple[Api, int]:
    """A client of its own, and its number."""
    name = f"group-{uuid4().hex[:8]}"
    mine = Api(stack.url, new_client(name))
    return mine, stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]


def decide(console: Console, chosen: list[str], outcome: str):
    return console.post("/reviews/group/decision", form="/", item=chosen, outcome=outcome)


def test_an_authors_burst_is_shown_whole_and_selected(ada, burst):
    _, ids = burst(3)
    assert {item.split(":")[0] for item in items(ada, ids[0], "author")} == set(ids)


def test_look_alikes_are_found_among_open_flags_only(ada, burst, api):
    _, ids = burst(2)
    assert set(ids) <= {item.split(":")[0] for item in items(ada, ids[0], "alike")}
    page = ada.get(f"/submissions/{ids[1]}").text
    version = page.split('name="version" value="')[1].split('"')[0]
    assert ada.decide(ids[1], version, "approved").status_code == 200
    assert ids[1] not in {item.split(":")[0] for item in items(ada, ids[0], "alike")}


def test_one_rules_hits_belong_together(ada, api):
    told = [
        api.decided(title="Rare watch", description="Wire transfer only. Contact me on WhatsApp")
        for _ in range(2)
    ]
    ids = {one["job_id"] for one in told}
    assert ids <= {item.split(":")[0] for item in items(ada, told[0]["job_id"], "rule")}


def test_a_group_holds_one_client_and_nothing_is_ticked_before_it_is_seen(ada, stack, new_client):
    ours, number = shop_of(stack, new_client)
    theirs, _ = shop_of(stack, new_client)
    words = {"title": "Rare watch", "description": "Wire transfer only. Contact me on WhatsApp"}
    mine = {ours.decided(unique("review_a.jpg"), **words)["job_id"] for _ in range(2)}
    theirs.decided(unique("review_a.jpg"), **words)
    for by in ("alike", "rule"):
        for more in ("", f"&client={number}"):
            chosen = items(ada, min(mine), by, more)
            assert {item.split(":")[0] for item in chosen} == mine, (by, more)
    page = ada.get(f"/reviews/{min(mine)}/group?by=rule").text
    assert "checked" not in page.split('id="group"')[1].split("</ul>")[0]
    deck = ada.get(f"/review?client={number}").text
    assert re.search(r"<b>1</b> (looks alike|by this rule)", deck)


def test_the_filter_limits_the_group_and_stays_afterwards(ada, stack, new_client):
    mine, number = shop_of(stack, new_client)
    author = f"mixed-{uuid4().hex[:8]}"
    fast = mine.decided(unique("review_a.jpg"), user_id=author, priority="priority")["job_id"]
    slow = mine.decided(unique("review_a.jpg"), user_id=author)["job_id"]
    place = f"&filter=priority&client={number}"
    assert {item.split(":")[0] for item in items(ada, fast, "author", place)} == {fast}
    whole = items(ada, fast, "author", f"&client={number}")
    assert {item.split(":")[0] for item in whole} == {fast, slow}
    reply = ada.post(
        "/reviews/group/decision",
        form="/",
        item=[item for item in whole if item.startswith(fast)],
        outcome="approved",
        filter="priority",
        client=str(number),
    )
    assert "filter=priority" in reply.url and f"client={number}" in reply.url
    assert mine.status(slow)["verdict"] == "review"


def test_a_tile_shows_the_text_that_the_rule_matched(ada, stack, new_client):
    mine, _ = shop_of(stack, new_client)
    words = f"{'A fine chair. ' * 60}Wire transfer only, via WhatsApp. {'Solid oak. ' * 60}"
    job_id = mine.decided(unique("review_a.jpg"), title="Chair", description=words)["job_id"]
    page = ada.get(f"/reviews/{job_id}/group?by=rule").text
    tile = page.split('id="group"')[1].split("</li>")[0]
    assert "<mark" in tile and len(tile.split('class="member-text"')[1].split("</span>")[0]) < 400


def test_thirty_look_alikes_are_decided_by_one_action(ada, new_client, stack):
    name = f"strict-{uuid4().hex[:8]}"
    mine = Api(stack.url, new_client(name))
    set_policy(stack, name, **nudity(review_at=0))  # everything is a flag
    picture = drawn()
    ids = {mine.decided(unique(picture), title=f"Alike {n}")["job_id"] for n in range(30)}
    chosen = items(ada, min(ids), "alike")
    assert {item.split(":")[0] for item in chosen} == ids
    decide(ada, chosen, "rejected:spam")
    rows = stack.sql(
        "SELECT submission_id::text, count(*) FROM decision WHERE moderator_id IS NOT NULL"
        " AND to_verdict = 'rejected' AND submission_id::text = ANY(%s) GROUP BY 1",
        list(ids),
    )
    assert sorted(rows) == sorted((job_id, 1) for job_id in ids)


def test_each_of_a_group_gets_its_own_decision_strike_and_audit_row(ada, burst, stack, api):
    author, ids = burst(3)
    reply = decide(ada, items(ada, ids[0], "author"), "rejected:scam")
    assert "/console/review?done=" in reply.url and "3 rejected" in reply.text
    assert {api.status(job_id)["verdict"] for job_id in ids} == {"rejected"}
    rows = stack.sql(
        "SELECT count(*), count(DISTINCT group_id) FROM decision"
        " WHERE submission_id = ANY(%s::uuid[]) AND reason = 'scam'",
        ids,
    )
    assert rows == [(3, 1)]
    assert stack.sql("SELECT strikes FROM author WHERE user_id = %s", author) == [(3,)]
    acts = "SELECT count(*) FROM audit WHERE action = 'decide' AND subject = ANY(%s)"
    assert stack.sql(acts, ids) == [(3,)]


def test_a_damaged_file_is_a_strike_only_if_a_person_rejects_it(ada, stack, api):
    author = f"damaged-{uuid4().hex[:8]}"
    strikes = "SELECT coalesce(sum(strikes), 0) FROM author WHERE user_id = %s"
    nothing = api.decided(unique("review_a.jpg")[:200], user_id=author)
    assert nothing["verdict"] == "rejected"
    assert stack.sql(strikes, author) == [(0,)]
    cut = api.decided(content("reject_a.webp")[:-4000], user_id=author)
    assert (cut["verdict"], cut["reasons"][0]["label"]) == ("review", "unreadable")
    decide(ada, items(ada, cut["job_id"], "author"), "rejected:scam")
    assert stack.sql(strikes, author) == [(1,)]
    assert ada.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200
    assert stack.sql(strikes, author) == [(0,)]


def test_one_undo_takes_the_whole_group_back(ada, burst, stack, api):
    author, ids = burst(3)
    decide(ada, items(ada, ids[0], "author"), "rejected:scam")
    assert ada.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200
    assert {api.status(job_id)["verdict"] for job_id in ids} == {"review"}
    assert stack.sql("SELECT strikes FROM author WHERE user_id = %s", author) == [(0,)]
    undone = "SELECT count(*) FROM decision WHERE submission_id = ANY(%s::uuid[]) AND undoes > 0"
    assert stack.sql(undone, ids) == [(3,)]


def test_what_was_deselected_stays(ada, burst, api):
    _, ids = burst(2)
    chosen = [item for item in items(ada, ids[0], "author") if item.startswith(ids[0])]
    decide(ada, chosen, "approved")
    assert [api.status(job_id)["verdict"] for job_id in ids] == ["approved", "review"]


def test_what_changed_or_is_held_is_left_out_and_counted(ada, stack, burst, api):
    _, ids = burst(4)
    chosen = items(ada, ids[0], "author")
    ben = person(stack)
    version = next(item for item in chosen if item.startswith(ids[1])).split(":")[1]
    path = f"/reviews/{ids[1]}/decision"
    ben.post(path, form="/", outcome="approved", version=version, follow=False)
    ben.post("/reviews/hold", form="/", open=ids[2], headers=FRAGMENT)
    reply = decide(ada, chosen, "rejected:spam")
    assert "2 rejected" in reply.text and "2 skipped" in reply.text
    verdicts = [api.status(job_id)["verdict"] for job_id in ids]
    assert verdicts == ["rejected", "approved", "review", "rejected"]


def test_undo_leaves_what_somebody_decided_since(ada, stack, burst, api):
    _, ids = burst(2)
    decide(ada, items(ada, ids[0], "author"), "rejected:spam")
    ben = person(stack)
    page = ben.get(f"/submissions/{ids[0]}").text
    version = page.split('name="version" value="')[1].split('"')[0]
    assert ben.decide(ids[0], version, "approved").status_code == 200
    ada.post("/reviews/undo", form="/", headers=FRAGMENT)
    assert [api.status(job_id)["verdict"] for job_id in ids] == ["approved", "review"]


def test_nothing_selected_is_explained(ada, burst):
    burst(1)
    assert decide(ada, [], "approved").status_code == 409
    assert decide(ada, ["nonsense"], "approved").status_code == 422


def test_a_viewer_sees_a_group_but_does_not_decide_it(stack, burst, api):
    viewer = person(stack, "viewer")
    _, ids = burst(2)
    page = viewer.get(f"/reviews/{ids[0]}/group?by=author")
    assert page.status_code == 200 and 'name="outcome"' not in page.text
    assert decide(viewer, [f"{ids[0]}:1"], "approved").status_code == 403
    assert api.status(ids[0])["verdict"] == "review"


def test_an_unknown_kind_or_flag_is_refused(ada, burst):
    _, ids = burst(1)
    assert ada.get(f"/reviews/{ids[0]}/group?by=magic").status_code == 422
    assert ada.get(f"/reviews/{uuid4()}/group?by=author").status_code == 404
