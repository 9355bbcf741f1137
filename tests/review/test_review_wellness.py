"""Wellness: hard pictures are counted, a pause is suggested, and text comes in between."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from models.review import workload
from models.verdict import Finding
from tests.support.api import Api, unique
from tests.support.console import Console, person
from tests.support.stack import Stack


@pytest.fixture
def ada(stack: Stack) -> Console:
    return person(stack, name=f"ada-{uuid4().hex[:8]}")


@pytest.fixture
def flags(api: Api, stack: Stack, new_client):
    """Makes flags of a new client, so that no other test has them open; answers its number."""

    def make(pictures: int, texts: int = 0) -> int:
        name = f"calm-{uuid4().hex[:8]}"
        mine = Api(stack.url, new_client(name))
        for _ in range(pictures):
            assert mine.decided(unique("review_a.jpg"), title="Hard")["verdict"] == "review"
        for _ in range(texts):
            told = mine.decided(title="Text", description="Wire transfer only, via WhatsApp")
            assert told["verdict"] == "review", told
        return stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]

    return make


def prefer(stack: Stack, console: Console, **wanted: int) -> None:
    name = console.get("/").text.split('class="me-name"><strong')[1].split(">")[1].split("<")[0]
    stack.sql(
        "UPDATE moderator SET preferences = preferences || %s::jsonb WHERE name = %s",
        json.dumps(wanted),
        name,
    )


def test_hard_pictures_are_counted_and_a_pause_is_suggested(ada, stack, flags):
    client = flags(2)
    prefer(stack, ada, pause_after=2)
    first, second = ada.deck(f"?client={client}")
    reply = ada.decide(*first, "rejected:nudity", client=str(client))
    assert "1 graphic this hour" in reply.text and "pause</a>" not in reply.text
    reply = ada.decide(*second, "approved", client=str(client))
    assert "2 graphic this hour" in reply.text and "pause</a>" in reply.text


def test_text_is_not_counted_as_graphic(ada, flags):
    client = flags(0, texts=1)
    (only,) = ada.deck(f"?client={client}")
    assert "graphic this hour" not in ada.decide(*only, "approved", client=str(client)).text


def test_a_pause_gives_back_what_was_open(ada, stack, flags):
    client = flags(1)
    deck = ada.deck(f"?client={client}")
    assert "Take a pause" in ada.get("/review/pause").text
    assert person(stack).deck(f"?client={client}") == deck


def test_text_comes_after_so_many_hard_pictures(ada, stack, flags):
    client = flags(8, texts=1)
    prefer(stack, ada, rotate_after=7)
    deck = ada.deck(f"?client={client}")
    text = stack.sql(
        "SELECT s.id::text FROM submission s WHERE client_id = %s"
        " AND NOT EXISTS (SELECT 1 FROM image WHERE submission_id = s.id)",
        client,
    )[0][0]
    assert text not in [job for job, _ in deck]  # it is the newest
    known = ",".join(job for job, _ in deck[1:])
    reply = ada.decide(*deck[0], "approved", client=str(client), open=known)
    assert text not in reply.text  # one decided and five open are not seven
    known = ",".join(job for job, _ in deck[1:])
    reply = ada.decide(*deck[1], "approved", client=str(client), open=known)
    assert text in reply.text


def test_preferences_stand_on_the_page(ada, stack):
    prefer(stack, ada, pause_after=7, rotate_after=3)
    text = ada.get("/review").text
    assert 'data-blur="strong"' in text and 'data-rotate-after="3"' in text


GRAPHIC = ("nudity", "sexual", "violence")
FINDINGS = [
    Finding("classifier", label, action, score=score, image=image)
    for label in ("nudity", "sexual", "violence", "scam", "known")
    for action in ("reject", "review", "allow", "note")
    for score in (None, 0.0, 0.1, 0.7, 0.8, 1.0)
    for image in (None, 0)
]


def test_the_sql_and_python_definitions_of_graphic_agree(stack: Stack) -> None:
    rows = [
        (None if found.image is None else str(uuid4()), found.label, found.action, found.score)
        for found in FINDINGS
    ]
    values = {"labels": list(GRAPHIC), "asking": list(workload.ASKING), "rows": json.dumps(rows)}
    query = f"""SELECT coalesce({workload.GRAPHIC_FINDING}, false) FROM (
            SELECT number, (r->>0)::uuid AS image_id, r->>1 AS label, r->>2 AS action,
                (r->>3)::real AS score
            FROM jsonb_array_elements(%(rows)s::jsonb) WITH ORDINALITY given (r, number)) f
            ORDER BY number"""
    names = re.findall(r"%\((\w+)\)s", query)
    read = stack.sql(re.sub(r"%\(\w+\)s", "%s", query), *(values[name] for name in names))
    assert [row[0] for row in read] == [workload.is_graphic([one], GRAPHIC) for one in FINDINGS]
    assert len({row[0] for row in read}) == 2
