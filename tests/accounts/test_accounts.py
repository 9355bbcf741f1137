"""One's own account: password, second step, browsers, preferences."""

from __future__ import annotations

import re

import pytest

from models.errors import Invalid
from models.people.moderator import Moderator
from models.people.preferences import Preferences
from tests.support.account import Someone
from tests.support.console import Console, person
from tests.support.stack import Stack

PASSWORD = "another four unrelated words"


@pytest.fixture
def mara(stack: Stack) -> Someone:
    return Someone(stack)


def is_in(console: Console) -> bool:
    return console.get("/").url.endswith("/console/")


def change(mara: Someone, current: str, password: str = PASSWORD):
    return mara.here.post("/account/password", form="/", current=current, password=password)


def test_a_password_is_changed_by_who_knows_the_old_one(stack, mara):
    elsewhere = mara.browser()
    wrong = change(mara, "not it at all")
    assert (wrong.status_code, "Wrong password" in wrong.text) == (403, True)
    assert "Password changed" in change(mara, mara.password).text
    assert is_in(mara.here) and not is_in(elsewhere)
    old, mara.password = mara.password, PASSWORD
    assert Console(stack.url).sign_in(mara.name, old).status_code == 401
    assert is_in(mara.browser())


@pytest.mark.parametrize("password", ["short", "password1", "x" * 129])
def test_a_weak_new_password_is_refused(mara, password):
    reply = change(mara, mara.password, password)
    assert reply.status_code == 422 and 'id="fault-password"' in reply.text
    assert is_in(mara.browser())


def test_the_old_password_cannot_be_guessed_in_an_open_browser(mara):
    codes = [change(mara, f"guess {i}").status_code for i in range(11)]
    assert codes == [403] * 10 + [429]


def test_browsers_are_listed_and_ended_one_by_one_or_all(mara):
    second, third = mara.browser(), mara.browser()
    page = mara.here.get("/account/").text
    assert page.count("this one") == 1
    paths = re.findall(r"/account(/sessions/\d+/end)", page)
    assert len(paths) == 2
    mara.here.post(f"/account{paths[0]}", form="/")
    assert sorted([is_in(second), is_in(third)]) == [False, True]
    mara.here.post("/account/sessions/end-others", form="/")
    assert not is_in(second) and not is_in(third) and is_in(mara.here)


def test_nobody_ends_anothers_browser(stack, mara):
    (row,) = stack.sql(
        "SELECT s.id FROM moderator_session s JOIN moderator m ON m.id = s.moderator_id"
        " WHERE m.name = %s",
        mara.name,
    )
    other = person(stack, "administrator")
    assert other.post(f"/account/sessions/{row[0]}/end", form="/").status_code == 404
    assert is_in(mara.here)


def test_the_second_step_is_asked_for_after_a_first_code(stack, mara):
    page = mara.begin()
    assert "<svg" in page and 'class="qr"' in page and f"secret={mara.secret}" in page
    assert "otpauth://totp/" in page
    wrong = mara.here.post("/account/second-step/confirmation", form="/", code="000000")
    assert wrong.status_code == 422
    assert is_in(mara.browser())  # nothing is asked for before a code was right
    codes = mara.enrol()
    assert len(set(codes)) == 10
    mara.fresh()
    browser = Console(stack.url)
    asked = browser.sign_in(mara.name, mara.password)
    assert asked.url.endswith("/sign-in/second-step") and not is_in(browser)
    refused = browser.post("/sign-in/second-step", code="123456")
    assert refused.status_code == 401
    browser.post("/sign-in/second-step", code=mara.code())
    assert is_in(browser)


def test_a_code_holds_once(stack, mara):
    mara.enrol()
    mara.fresh()
    code = mara.code()
    first, second = Console(stack.url), Console(stack.url)
    for browser in (first, second):
        browser.sign_in(mara.name, mara.password)
        browser.post("/sign-in/second-step", code=code)
    assert is_in(first) and not is_in(second)


def test_an_old_code_does_not_hold(stack, mara):
    mara.enrol()
    mara.fresh()
    browser = Console(stack.url)
    browser.sign_in(mara.name, mara.password)
    assert browser.post("/sign-in/second-step", code=mara.code(-10)).status_code == 401


def test_a_recovery_code_lets_in_once_and_is_stored_hashed(stack, mara):
    codes = mara.enrol()
    stored = stack.sql("SELECT digest FROM recovery_code")
    assert not {code.encode() for code in codes} & {bytes(row[0]) for row in stored}
    for code, holds in ((codes[0].upper(), True), (codes[0], False), (codes[1], True)):
        browser = Console(stack.url)
        browser.sign_in(mara.name, mara.password)
        browser.post("/sign-in/second-step", code=code)
        assert is_in(browser) is holds
    assert "8 recovery codes are left" in mara.here.get("/account/").text


def test_anothers_recovery_code_does_not_hold(stack, mara):
    mara.enrol()
    theirs = Someone(stack).enrol()[0]
    browser = Console(stack.url)
    browser.sign_in(mara.name, mara.password)
    assert browser.post("/sign-in/second-step", code=theirs).status_code == 401


def test_codes_cannot_be_guessed(stack, mara):
    mara.enrol()
    browser = Console(stack.url)
    browser.sign_in(mara.name, mara.password)
    codes = [browser.post("/sign-in/second-step", code="12345").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]


def test_without_the_password_nobody_gets_to_the_second_step(stack):
    assert Console(stack.url).get("/sign-in/second-step").url.endswith("/sign-in")


def test_the_password_of_a_pending_second_step_must_still_hold(stack, mara):
    mara.enrol()
    mara.fresh()
    browser = Console(stack.url)
    browser.sign_in(mara.name, mara.password)
    change(mara, mara.password)
    browser.post("/sign-in/second-step", form="/sign-in", code=mara.code())
    assert not is_in(browser)


def test_it_is_turned_off_with_the_password_alone(stack, mara):
    mara.enrol()
    wrong = mara.here.post("/account/second-step/off", form="/", current="not it at all")
    assert wrong.status_code == 403
    mara.here.post("/account/second-step/off", form="/", current=mara.password)
    assert is_in(mara.browser())
    assert stack.sql("SELECT totp_secret FROM moderator WHERE name = %s", mara.name) == [(None,)]


def test_an_administrator_removes_a_lost_second_step(stack, mara):
    mara.enrol()
    (row,) = stack.sql("SELECT id FROM moderator WHERE name = %s", mara.name)
    person(stack, "administrator").post(f"/team/{row[0]}/second-step", form="/")
    assert not is_in(mara.here)
    assert is_in(mara.browser())


def test_the_operator_lets_in_who_lost_everything(stack, mara):
    mara.enrol()
    mara.password = stack.json("moderator", "reset", mara.name, "--json")["password"]
    assert not is_in(mara.here)
    assert is_in(mara.browser())


def test_a_reset_password_does_not_go_round_the_second_step(stack, mara):
    mara.enrol()
    (row,) = stack.sql("SELECT id FROM moderator WHERE name = %s", mara.name)
    shown = person(stack, "administrator").post(f"/team/{row[0]}/reset", form="/").text
    link = re.search(r'id="link">https?://[^/]+/console(/[^<]+)<', shown)[1]
    browser = Console(stack.url)
    browser.post(link, form=link, password=PASSWORD)
    assert browser.sign_in(mara.name, PASSWORD).url.endswith("/second-step")


def test_the_account_shows_in_the_reply_as_little_as_an_unknown_one(stack, mara):
    known = Console(stack.url).sign_in(mara.name, "not the password")
    unknown = Console(stack.url).sign_in(f"{mara.name}x", "not the password")
    strip = re.compile(r'value="[^"]*"')
    assert known.status_code == unknown.status_code == 401
    assert strip.sub("", known.text) == strip.sub("", unknown.text)


def test_preferences_are_the_careful_ones_at_first_and_stand_on_the_body(mara):
    body = re.search(r"<body.*?>", mara.here.get("/account/preferences").text, re.S)[0]
    for part in ('data-blur="strong"', 'data-grey="on"', 'data-reveal="hold"', 'data-keys="on"'):
        assert part in body
    mara.here.post(
        "/account/preferences",
        form="/",
        blur="light",
        size="large",
        reveal="click",
        pause_after="12",
        rotate_after="3",
    )
    body = re.search(r"<body.*?>", mara.here.get("/").text, re.S)[0]
    for part in (
        'data-blur="light"',
        'data-grey="off"',
        'data-size="large"',
        'data-reveal="click"',
        'data-keys="off"',
        'data-pause-after="12"',
        'data-rotate-after="3"',
    ):
        assert part in body


@pytest.mark.parametrize(
    ("field", "value"),
    [("blur", "x-ray"), ("pause_after", "-1"), ("pause_after", "1e9"), ("rotate_after", "")],
)
def test_a_preference_that_cannot_be_is_said_beside_its_field(mara, field, value):
    good = {
        "blur": "none",
        "size": "small",
        "reveal": "hold",
        "pause_after": "0",
        "rotate_after": "0",
    }
    reply = mara.here.post("/account/preferences", form="/", **{**good, field: value})
    assert reply.status_code == 422 and f'id="fault-{field}"' in reply.text


@pytest.mark.parametrize("stored", [{}, None, {"blur": 7, "grey": "yes", "pause_after": True}])
def test_what_is_stored_wrongly_is_the_default(stored):
    assert Preferences.of(Moderator(preferences=stored)) == Preferences()


def test_a_form_that_lacks_a_choice_is_invalid():
    with pytest.raises(Invalid):
        Preferences.read({})
