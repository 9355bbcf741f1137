"""Every string from outside survives as text in every page, and is never markup."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest

from tests.support.api import Api, drawn, eventually
from tests.support.console import FRAGMENT, Console, person
from tests.support.naughty import ATTRIBUTES, MARKUP, STRINGS, TEMPLATES
from tests.support.tried import tried

ADDRESSES = {"href", "src", "action", "formaction", "xlink:href", "data", "srcdoc", "srcset"}
NEVER = {"iframe", "object", "embed", "base", "style", "math", "plaintext", "animate"}
REFLECTED = (*MARKUP[:6], *ATTRIBUTES[:6], *TEMPLATES[:3])


class Page(HTMLParser):
    """A page's text and attributes, and what has no business in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.faults: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in NEVER:
            self.faults.append(f"<{tag}>")
        values = {name: value or "" for name, value in attrs}
        if tag == "script" and not values.get("src", "").startswith("/static/"):
            self.faults.append(f"a script of its own {values}")
        if tag == "meta" and "http-equiv" in values:
            self.faults.append(f"{values}")
        for name, value in values.items():
            self.words.append(value)
            self.check(tag, name, value)

    def check(self, tag: str, name: str, value: str) -> None:
        bare = re.sub(r"[\s\x00-\x20]", "", value).lower()
        if name.startswith(("on", "hx-on", "data-hx-")):
            self.faults.append(f"<{tag} {name}={value!r}>")
        if name in ADDRESSES and bare.startswith(("javascript:", "data:", "vbscript:", "//")):
            self.faults.append(f"<{tag} {name}={value!r}>")
        if name.startswith("hx-") and "evil" in bare and not bare.startswith("/console/"):
            self.faults.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def says(self, string: str) -> bool:
        """Whether the string stands in the text as it was sent; matches may cut it in parts."""
        return string in "\n".join(self.words) or string in "".join(self.words)


@pytest.fixture(scope="module")
def ada(stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture(scope="module")
def site(stack) -> Api:
    """A client whose authors are as naughty as their words; its ``number``."""
    name = f"Naughty {uuid4().hex[:6]}"
    api = Api(stack.url, stack.json("client", "create", name, "--json")["key"])
    api.number = stack.sql("SELECT id FROM client WHERE name = %s", name)[0][0]
    return api


@pytest.fixture(scope="module")
def planted(stack, site) -> dict[str, str]:
    """A submission of every string in every field; their ids."""
    ids = {}
    for string in STRINGS:
        fields = dict.fromkeys(("title", "description", "user_id"), string)
        reply = site.submit(**fields, external_id=string)
        assert reply.status_code in (200, 202), (string, reply.text)
        ids[string] = reply.json()["job_id"]
    left = "SELECT count(*) FROM submission WHERE client_id = %s AND verdict IS NULL"
    eventually(lambda: stack.sql(left, site.number) == [(0,)])
    tried(len(STRINGS))
    return ids


def seen(console: Console, path: str, *, fragment: bool = False) -> Page:
    reply = console.get(path, headers=FRAGMENT if fragment else {})
    assert reply.status_code in (200, 400, 404, 422), (path, reply.status_code)
    page = Page(reply.text)
    assert not page.faults, (path, page.faults)
    return page


def test_the_checker_sees_what_it_is_to_see():
    for string in MARKUP[:2] + MARKUP[3:5] + MARKUP[9:11]:
        assert Page(f"<p>{string}</p>").faults, string
    assert Page(f'<p title="{ATTRIBUTES[0]}">x</p>').faults


def test_a_submissions_page_shows_each_as_text(ada, planted):
    for string, job_id in planted.items():
        assert seen(ada, f"/submissions/{job_id}").says(string), string


def test_lists_show_each_as_text(ada, site, planted):
    for path in (f"/submissions?client={site.number}", f"/authors?client={site.number}", "/review"):
        for fragment in (False, True):
            seen(ada, path, fragment=fragment)
    listed = seen(ada, f"/authors?client={site.number}")
    assert sum(listed.says(string) for string in STRINGS) >= 20


def test_an_authors_page_shows_its_name_as_text(ada, site, planted):
    for string in STRINGS:
        path = f"/authors/{site.number}/?{urlencode({'user_id': string})}"
        assert seen(ada, path).says(string), string


def test_what_is_asked_for_comes_back_as_text(ada):
    for string in REFLECTED:
        asked = quote(string, safe="")
        for path in (
            f"/submissions?text={asked}&author={asked}&label={asked}&from={asked}",
            f"/authors?author={asked}&kind={asked}&after={asked}",
            f"/rules?text={asked}&kind={asked}",
            f"/audit/?who={asked}&action={asked}&subject={asked}",
            f"/deliveries/?event={asked}&state={asked}",
            f"/known-images?text={asked}",
            f"/review?client={asked}&label={asked}",
            f"/{asked}",
            f"/setup/{quote(string, safe='')}",
        ):
            seen(ada, path)


def test_the_sign_in_form_gives_back_what_it_was_told_as_text(stack):
    for string in REFLECTED:
        assert seen(Console(stack.url), f"/sign-in?next={quote(string, safe='')}").says(string)
    for string in (MARKUP[0], ATTRIBUTES[0]):
        reply = Console(stack.url).sign_in(string, "wrong one", next=string)
        page = Page(reply.text)
        assert reply.status_code == 401 and page.says(string) and not page.faults


def test_names_of_clients_people_and_rules_are_text(stack, ada):
    """Rows as the database holds them, whatever their forms would refuse."""
    for string in STRINGS:
        name = f"{string} {uuid4().hex[:6]}"
        stack.sql("INSERT INTO client (name, created_at) VALUES (%s, now())", name)
        stack.sql(
            "INSERT INTO moderator (name, role, password_hash, disabled_at, created_at)"
            " VALUES (%s, 'viewer', '', now(), now())",
            name,
        )
    try:
        clients, team = seen(ada, "/clients/"), seen(ada, "/team/")
        for string in STRINGS:
            assert clients.says(string) and team.says(string), string
        for path in ("/submissions", "/authors", "/deliveries/", "/review", "/audit/", "/"):
            seen(ada, path)
    finally:
        stack.sql(
            "DELETE FROM client WHERE name ~ ' [0-9a-f]{6}$' AND webhook_url IS NULL"
            " AND NOT EXISTS (SELECT FROM api_key k WHERE k.client_id = client.id)"
        )
        stack.sql("DELETE FROM moderator WHERE password_hash = '' AND disabled_at IS NOT NULL")


def test_a_rules_pattern_is_text(ada):
    for string in REFLECTED:
        form = {"kind": "phrase", "pattern": string, "action": "review", "label": "other"}
        reply = ada.post("/rules", form="/rules", **form)
        assert reply.status_code in (200, 422), (string, reply.status_code)
        assert not Page(reply.text).faults
        tried = ada.post("/rules/try", form="/rules", headers=FRAGMENT, **form)
        assert not Page(tried.text).faults
    seen(ada, "/rules")


def test_a_files_name_is_text_and_a_harmless_one_to_download(stack, ada, site):
    for string in (*MARKUP[:4], *ATTRIBUTES[:4], *TEMPLATES[5:], "a\r\nSet-Cookie: x=y.jpg"):
        fields = {"user_id": uuid4().hex, "title": "Picture"}
        files = [("images", (string, drawn(), "image/jpeg"))]
        told = site.http.post(f"{site.base}/submissions", data=fields, files=files)
        assert told.status_code in (200, 202), (string, told.text)
        job_id = told.json()["job_id"]
        site.status(job_id, wait=25)
        seen(ada, f"/submissions/{job_id}")
        ((image,),) = stack.sql("SELECT id FROM image WHERE submission_id = %s", job_id)
        reply = ada.get(f"/media/{image}/original")
        given = reply.headers["Content-Disposition"]
        assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_.-]{1,90}"', given), given
        assert "Set-Cookie" not in reply.headers or "x=y" not in reply.headers["Set-Cookie"]


def test_no_export_starts_a_cell_with_a_formula(ada, site, planted):
    for path in (
        f"/submissions/export.csv?client={site.number}",
        "/audit/export",
        "/rules/export.csv",
        "/known-images/export.csv",
    ):
        reply = ada.get(path)
        assert reply.status_code == 200, path
        rows = list(csv.reader(io.StringIO(reply.text)))
        assert rows
        risky = [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t")]
        assert not risky, (path, risky)
        assert not [cell for row in rows for cell in row if cell[:1] == "\r"]
