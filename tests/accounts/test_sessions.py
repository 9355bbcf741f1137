"""Sessions and keys: what no form lets through, who is shut out, and what is never stored."""

from __future__ import annotations

import hashlib
import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from werkzeug.routing import Rule

from models.errors import Unavailable
from models.settings import Settings
from tests.support.account import Someone
from tests.support.api import Api
from tests.support.console import FRAGMENT, Console, person
from tests.support.routes import paths
from tests.support.stack import Stack, running, wait_until
from webapp.api import keys
from webapp.app import create_app
from webapp.signin import passwords

WRONG = "nobody has this one"
OPEN = {"/console/sign-in", "/console/sign-in/second-step", "/console/sign-out"}  # to everybody
OPEN |= {"/console/setup/<token>", "/console/password/<token>", "/", "/console/"}
ONES_OWN = ("/console/account", "/console/sign-", "/console/setup", "/console/password")
TRIALS = {"/console/rules/try"}  # change nothing


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack behind a proxy, so that addresses can be chosen; nobody has set it up."""
    with running(WEB_INSTANCES="2", TRUSTED_PROXIES="127.0.0.1") as stack:
        stack.accounts = stack.sql("SELECT count(*) FROM moderator")
        yield stack


@pytest.fixture(scope="module")
def rules(own) -> list[Rule]:
    """Every route of the application."""
    return list(create_app(Settings.load(own.env)).url_map.iter_rules())


def from_address(console: Console, address: str) -> Console:
    console.http.headers["X-Forwarded-For"] = address
    return console


# Forms


def test_no_route_that_changes_something_goes_without_its_token(own, rules):
    ada, other = person(own, "administrator"), person(own, "administrator")
    stolen = other.token("/")  # of another session
    routes = [p for m in ("POST", "PUT", "PATCH", "DELETE") for p in paths(rules, m, "/console")]
    assert len(routes) > 40
    for route, path in routes:
        for headers in ({}, FRAGMENT):
            for form in ({}, {"csrf_token": "x"}, {"csrf_token": stolen}):
                reply = ada.http.post(own.url + path, data=form, headers=headers)
                assert reply.status_code == 400, (route, headers, form, reply.status_code)
    assert ada.get("/").url.endswith("/console/")  # nothing of it signed out


def test_a_token_in_a_header_is_one_of_this_session_too(own):
    ada, other = person(own, "administrator"), person(own, "administrator")
    headers = {**FRAGMENT, "X-CSRFToken": other.token("/")}
    reply = ada.http.post(own.url + "/console/reviews/undo", headers=headers)
    assert reply.status_code == 400


def test_no_page_is_open_to_strangers(own, rules):
    for route, path in paths(rules, "GET", "/console"):
        if route in OPEN:
            continue
        reply = requests.get(own.url + path, allow_redirects=False)
        away = reply.headers.get("Location", "").startswith("/console/sign-in")
        assert away or reply.status_code == 401, (route, reply.status_code)
        fragment = requests.get(own.url + path, headers=FRAGMENT, allow_redirects=False)
        assert fragment.status_code == 401, (route, fragment.status_code)


def test_a_viewer_changes_nothing_but_the_own_account(own, rules):
    viewer = person(own, "viewer")
    token = viewer.token("/")
    for route, path in paths(rules, "POST", "/console"):
        if not route.startswith(ONES_OWN) and route not in TRIALS:
            reply = viewer.http.post(own.url + path, data={"csrf_token": token})
            assert reply.status_code == 403, (route, reply.status_code)


# Signing in and out


def test_there_is_no_default_account(own):
    assert own.accounts == [(0,)]


def test_the_setup_link_makes_one_administrator_and_a_key(own):
    link = re.search(r"/console(/setup/\S+)", own.said)[1]
    console = Console(own.url)
    weak = console.post(link, form=link, name="Mara", password="password1")
    assert (weak.status_code, "most common passwords" in weak.text) == (422, True)
    made = console.post(link, form=link, name="Mara", password="four unrelated words")
    assert made.url.endswith("/console/first-client")
    shown = console.post("/first-client", form="/first-client", name="My site").text
    key = re.search(r'id="key">(sk_[\w-]+)<', shown)
    assert key and f"Bearer {key[1]}" in shown
    assert Api(own.url, key[1]).submit(title="Chairs").status_code in (200, 202)
    again = Console(own.url).get(link)
    assert (again.status_code, "This link has expired" in again.text) == (404, True)
    later = Console(own.url).post(link, name="Eve", password="four unrelated words")
    assert later.status_code == 404


def test_a_setup_link_expires(own):
    own.sql("DELETE FROM invite")
    link = own.run("up", "--detach")  # it is up: no new link
    assert "/setup/" not in link.stdout
    ada = person(own, "administrator")
    shown = ada.post("/team/invites", form="/team/", role="viewer").text
    path = re.search(r"/console(/setup/[\w-]+)<", shown)[1]
    assert Console(own.url).get(path).status_code == 200
    own.sql("UPDATE invite SET expires_at = now()")
    stranger = Console(own.url)
    assert stranger.get(path).status_code == 404
    assert stranger.post(path, name="Eve", password=WRONG).status_code == 404


def test_a_session_ends_by_itself(own):
    ada = person(own)
    own.sql("UPDATE moderator_session SET expires_at = now()")
    assert "/sign-in" in ada.get("/").url


def test_a_cookie_that_was_planted_does_not_become_a_session(own):
    made = own.json("moderator", "create", "Planted", "--json")
    victim, attacker = Console(own.url), Console(own.url)
    attacker.get("/sign-in")
    victim.http.cookies.update(attacker.http.cookies)
    victim.sign_in("Planted", made["password"])
    assert victim.get("/").url.endswith("/console/")
    assert "/sign-in" in attacker.get("/").url


def test_no_token_or_password_or_key_stands_in_the_database(own):
    made = own.json("moderator", "create", "Hashed", "--json")
    console = Console(own.url)
    console.sign_in("Hashed", made["password"])
    key = own.json("client", "create", "Hashed site", "--json")["key"]
    assert len(key.removeprefix("sk_")) >= 22  # 128 bits
    ((digest, hint),) = own.sql(
        "SELECT k.digest, k.hint FROM api_key k JOIN client c ON c.id = k.client_id"
        " WHERE c.name = 'Hashed site'"
    )
    assert bytes(digest) == hashlib.sha256(key.encode()).digest()
    assert len(hint) <= 6
    ((stored,),) = own.sql("SELECT password_hash FROM moderator WHERE name = 'Hashed'")
    assert re.match(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$", stored)
    memory, rounds = map(int, re.search(r"m=(\d+),t=(\d+)", stored).groups())
    assert memory >= 19 * 1024 and rounds >= 2  # OWASP's least
    dump = "".join(str(row) for row in own.sql("SELECT * FROM moderator_session"))
    assert console.http.cookies["sluice"] not in dump


@pytest.mark.parametrize(("length", "accepted"), [(7, False), (8, True), (128, True), (129, False)])
def test_a_password_has_8_to_128_characters(own, length, accepted):
    made = own.json("moderator", "create", f"Length {length}", "--json")
    console = Console(own.url)
    console.sign_in(f"Length {length}", made["password"])
    new = ("zq7" * 50)[:length]
    reply = console.post("/account/password", form="/", current=made["password"], password=new)
    assert reply.status_code == (200 if accepted else 422)
    again = Console(own.url).sign_in(f"Length {length}", new)
    assert again.url.endswith("/console/") == accepted


# Guessing


def test_an_unknown_name_takes_as_long_and_is_told_the_same(own):
    own.json("moderator", "create", "Known", "--json")
    own.json("moderator", "create", "Shut out", "--json")
    own.sql("UPDATE moderator SET disabled_at = now() WHERE name = 'Shut out'")
    seconds: dict[str, list[float]] = {}
    texts, codes = {}, {}
    for attempt in range(12):
        for name in ("Known", "Shut out", "Nobody"):
            console = from_address(Console(own.url), f"192.0.2.{attempt}")
            token = console.token("/sign-in")
            form = {"name": name, "password": WRONG, "csrf_token": token}
            begun = time.perf_counter()
            reply = console.http.post(console.url + "/sign-in", data=form)
            if reply.status_code == 401:
                seconds.setdefault(name, []).append(time.perf_counter() - begun)
                texts[name] = re.sub(r'(value|content)="[^"]*"', "", reply.text)
            codes.setdefault(name, []).append(reply.status_code)
    assert codes["Known"] == codes["Shut out"] == codes["Nobody"] == [401] * 10 + [429] * 2
    assert len(set(texts.values())) == 1
    quick, known = statistics.median(seconds["Nobody"]), statistics.median(seconds["Known"])
    assert quick > known / 3, "without argon2 it would be a tenth"


def test_an_address_that_tries_many_names_is_shut_out_and_others_are_not(own):
    guesser = from_address(Console(own.url), "198.51.100.7")
    token = guesser.token("/sign-in")

    def guess(number: int, address: str) -> int:
        guesser.http.headers["X-Forwarded-For"] = address
        form = {"name": f"guess {number}", "password": WRONG, "csrf_token": token}
        return guesser.http.post(guesser.url + "/sign-in", data=form).status_code

    codes = [guess(number, "198.51.100.7") for number in range(62)]
    assert codes == [401] * 60 + [429] * 2
    assert guess(99, "198.51.100.8") == 401


def test_an_ipv6_network_counts_as_one_address_and_a_mapped_address_as_ipv4(own):
    guesser = Console(own.url)
    token = guesser.token("/sign-in")

    def guess(name: str, address: str) -> int:
        guesser.http.headers["X-Forwarded-For"] = address
        form = {"name": name, "password": WRONG, "csrf_token": token}
        return guesser.http.post(guesser.url + "/sign-in", data=form).status_code

    for number in range(60):
        assert guess(f"v6 {number}", f"2001:db8::{number:x}") == 401
    assert guess("v6 more", "2001:db8::ffff:0:1") == 429
    assert guess("v6 more", "2001:db8:0:1::1") == 401


def test_a_strangers_guesses_do_not_lock_out_a_browser_that_signed_in_before(own):
    mara = Someone(own)
    stranger = from_address(Console(own.url), "192.0.2.200")
    codes = [stranger.sign_in(mara.name, WRONG).status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    mara.here.post("/sign-out", form="/")
    assert mara.here.sign_in(mara.name, mara.password).url.endswith("/console/")
    mara.here.post("/sign-out", form="/")
    # That gave the stranger no further guess, and a browser that is not known waits.
    assert stranger.sign_in(mara.name, mara.password).status_code == 429
    # The known browser has as few guesses as anybody.
    codes = [mara.here.sign_in(mara.name, WRONG).status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]


def test_a_known_browser_is_known_for_its_account_and_its_password_alone(own):
    mara, eve = Someone(own), Someone(own)
    for _ in range(10):
        Console(own.url).sign_in(mara.name, WRONG)
    eve.here.post("/sign-out", form="/")
    assert eve.here.sign_in(mara.name, mara.password).status_code == 429
    own.sql("UPDATE moderator SET password_hash = password_hash || ' ' WHERE name = %s", mara.name)
    mara.here.post("/sign-out", form="/sign-in")
    assert mara.here.sign_in(mara.name, mara.password).status_code == 429


def test_a_code_of_the_second_step_and_the_password_sign_in_to_a_locked_account(own):
    mara = Someone(own)
    mara.enrol()
    mara.fresh()
    for _ in range(10):
        from_address(Console(own.url), "192.0.2.201").sign_in(mara.name, WRONG)
    elsewhere = from_address(Console(own.url), "192.0.2.202")
    wrong = {
        "password": elsewhere.sign_in(mara.name, WRONG, code=mara.code()),
        "code": elsewhere.sign_in(mara.name, mara.password, code="000000"),
        "both": elsewhere.sign_in(mara.name, WRONG, code="000000"),
    }
    assert {reply.status_code for reply in wrong.values()} == {429}
    assert len({re.sub(r'(value|content)="[^"]*"', "", r.text) for r in wrong.values()}) == 1
    assert 'name="code"' in wrong["both"].text
    mara.fresh()
    assert elsewhere.sign_in(mara.name, mara.password, code=mara.code()).url.endswith("/console/")


def test_only_a_few_wait_for_a_password_hash_and_the_others_are_refused(own, rules):
    with ExitStack() as held, ThreadPoolExecutor(passwords.MOST_WAITING) as threads:
        held.enter_context(passwords._turns.slot())
        waiting = [
            threads.submit(passwords.matches, None, WRONG) for _ in range(passwords.MOST_WAITING)
        ]
        wait_until(lambda: passwords._turns.waiting == passwords.MOST_WAITING)
        with pytest.raises(Unavailable, match="at this moment"):
            passwords.matches(None, WRONG)
        held.close()
        assert waiting[0].result() is False


# Keys


def test_a_revoked_key_fails_at_every_instance_within_five_seconds(own):
    key = own.json("client", "create", "Revoked", "--json")["key"]

    def codes() -> set[int]:
        """What both instances say, each several times."""
        return {
            requests.get(
                f"{own.url}/api/moderation/stats", headers={"Authorization": f"Bearer {key}"}
            ).status_code
            for _ in range(20)
        }

    assert codes() == {200}
    own.run("client", "revoke", "Revoked", key[-4:])
    assert keys.CACHE_SECONDS + keys.STALE_SECONDS <= 5  # what an instance remembers of a key
    wait_until(lambda: codes() == {401})


def test_a_session_is_no_key_and_a_key_is_no_session(own):
    ada = person(own, "administrator")
    assert ada.http.get(f"{own.url}/api/moderation/stats").status_code == 401
    key = own.json("client", "create", "No session", "--json")["key"]
    with_key = Api(own.url, key).http
    for path in ("/console/", "/console/events", "/console/submissions/export.csv"):
        reply = with_key.get(own.url + path, allow_redirects=False)
        assert reply.status_code in (302, 401), path
