"""A person's own errors keep the console's frame, and lead back."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import requests

from tests.support.api import Api, unique
from tests.support.console import Console, person
from tests.support.stack import Stack


@pytest.fixture
def ada(stack: Stack) -> Console:
    return person(stack)


def has_frame(text: str) -> bool:
    return 'class="side"' in text and text.count('class="side-name"') == 15


def test_a_conflict_keeps_the_navigation_and_leads_back_to_the_filter(ada, stack, api: Api):
    job_id = api.decided(unique("review_a.jpg"), title="Both")["job_id"]
    came_from = f"{stack.url}/console/review?filter=priority&client=1"
    reply = ada.post(
        f"/reviews/{job_id}/decision",
        form="/",
        outcome="approved",
        version="77",
        headers={"Referer": came_from},
    )
    assert reply.status_code == 409 and has_frame(reply.text)
    assert 'href="/console/review?filter=priority&amp;client=1"' in reply.text
    assert f'href="/console/submissions/{job_id}"' in reply.text


@pytest.mark.parametrize("path", [f"/submissions/{UUID(int=0)}", "/nowhere", "/media/x/thumbnail"])
def test_what_does_not_exist_keeps_the_frame(ada, path):
    reply = ada.get(path)
    assert reply.status_code == 404 and has_frame(reply.text)
    assert re.search(r'class="button primary" href="/console/review"', reply.text)


def test_what_is_not_allowed_keeps_the_frame(stack):
    reply = person(stack, "viewer").get("/audit/export")
    assert reply.status_code == 403 and has_frame(reply.text)


def test_a_referrer_of_elsewhere_is_no_way_back(ada):
    reply = ada.get("/nowhere", headers={"Referer": "https://evil.example/console/review"})
    assert "evil.example" not in reply.text and "/console/review" in reply.text


def test_strangers_get_no_frame(stack):
    reply = requests.get(f"{stack.url}/console/nowhere")
    assert reply.status_code == 404 and 'class="side"' not in reply.text
