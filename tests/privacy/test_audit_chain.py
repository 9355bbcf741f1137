"""The audit: the application cannot change it, and whoever can is found out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.support.api import Api, unique
from tests.support.console import person
from tests.support.stack import Stack, running

APPLICATION, OWNER, SUPERUSER = "sluice", "sluice_owner", "postgres"
OFF = "SET session_replication_role = replica;"  # no trigger and no foreign key holds
DIGEST = "(SELECT audit_digest({before}, a) FROM audit a WHERE a.id = {number})"


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose audit may be tampered with."""
    with running() as stack:
        yield stack


@pytest.fixture(autouse=True)
def acts(own: Stack) -> Iterator[list[int]]:
    """Eight acts; what a test breaks is put back after it."""
    tables = ("audit", "audit_chain", "audit_head")
    for number in range(8):
        own.sql("INSERT INTO audit (action, subject) VALUES ('test', %s)", f"act {number}")
    rows = own.sql("SELECT audit_id FROM audit_chain ORDER BY place DESC LIMIT 8")
    own.sql("CREATE SCHEMA IF NOT EXISTS kept", role=SUPERUSER)
    for table in tables:
        own.sql(f"CREATE TABLE kept.{table} AS TABLE {table}", role=SUPERUSER)
    yield [row[0] for row in reversed(rows)]
    for table in tables:
        own.sql(
            f"{OFF} DELETE FROM {table};"
            f" INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table};"
            f" DROP TABLE kept.{table}",
            role=SUPERUSER,
        )


def verify(stack: Stack, *arguments: str) -> dict[str, Any]:
    """What the script says; its exit code says the same."""
    done = stack.run("audit", "verify", "--json", *arguments, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["whole"] else 1), done.stderr
    return told


def tamper(stack: Stack, command: str) -> None:
    """As the superuser, past every guard."""
    stack.sql(OFF + command, role=SUPERUSER)


def head(stack: Stack) -> str:
    return verify(stack)["head"]


def test_what_nobody_touched_is_whole(own: Stack, acts: list[int]) -> None:
    told = verify(own)
    assert (told["whole"], told["first_broken"], told["faults"]) == (True, None, [])
    assert (told["one_role"], told["application_may"]) == (False, [])
    assert re.fullmatch(r"[0-9a-f]{64}", told["head"])
    assert told["rows"] == own.sql("SELECT count(*) FROM audit")[0][0]
    assert verify(own, "--expect", told["head"])["whole"]
    own.sql("INSERT INTO audit (action) VALUES ('later')")
    assert verify(own, "--expect", told["head"])["whole"]


def test_it_says_so_in_words(own: Stack, acts: list[int]) -> None:
    done = own.run("audit", "verify")
    assert done.stdout.splitlines()[-1] == "whole"
    tamper(own, f"UPDATE audit SET subject = 'x' WHERE id = {acts[3]}")
    done = own.run("audit", "verify", check=False)
    assert done.returncode == 1 and f"breaks at row {acts[3]}" in done.stdout
    wrong = own.run("audit", "verify", "--expect", "abc", check=False)
    assert wrong.returncode == 1 and "64 hexadecimal digits" in wrong.stderr


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("UPDATE audit SET subject = 'forged' WHERE id = {2}", 2),
        ("UPDATE audit SET at = at + interval '1 second' WHERE id = {2}", 2),
        ("DELETE FROM audit WHERE id = {4}", 4),
        ("DELETE FROM audit WHERE id = {4}; DELETE FROM audit_chain WHERE audit_id = {4}", 5),
        ("DELETE FROM audit_chain WHERE audit_id = {7}; DELETE FROM audit WHERE id = {7}", 6),
        ("DELETE FROM audit_chain WHERE audit_id = {7}", 7),
        ("INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT {7} + 1000, at, moderator_id,"
         " 'forged', subject, details FROM audit WHERE id = {7}", None),
    ],
    ids=["changed", "moved in time", "row gone", "link gone too", "end gone", "end unlinked",
         "put in"],
)  # fmt: skip
def test_tampering_is_found_at_its_row(
    own: Stack, acts: list[int], command: str, first: int | None
) -> None:
    tamper(own, command.format(*acts))
    told = verify(own)
    assert not told["whole"]
    assert told["first_broken"] == (acts[7] + 1000 if first is None else acts[first])


def test_a_row_whose_own_digest_was_made_anew_is_found(own: Stack, acts: list[int]) -> None:
    before = f"(SELECT digest FROM audit_chain WHERE audit_id = {acts[1]})"
    tamper(
        own,
        f"UPDATE audit SET subject = 'forged' WHERE id = {acts[2]};"
        f" UPDATE audit_chain SET digest = {DIGEST.format(before=before, number=acts[2])}"
        f" WHERE audit_id = {acts[2]}",
    )
    assert verify(own)["first_broken"] == acts[3]


def test_an_end_that_was_cut_off_with_its_head_is_found_by_a_noted_head(
    own: Stack, acts: list[int]
) -> None:
    noted = head(own)
    tamper(
        own,
        f"DELETE FROM audit_chain WHERE audit_id IN ({acts[6]}, {acts[7]});"
        f" DELETE FROM audit WHERE id IN ({acts[6]}, {acts[7]});"
        " UPDATE audit_head SET (place, digest) ="
        " (SELECT place, digest FROM audit_chain ORDER BY place DESC LIMIT 1)",
    )
    assert verify(own)["whole"]
    told = verify(own, "--expect", noted)
    assert not told["whole"] and "truncated" in told["faults"][0]


def test_a_chain_that_was_written_anew_is_found_by_a_noted_head(
    own: Stack, acts: list[int]
) -> None:
    noted = head(own)
    tamper(own, f"UPDATE audit SET subject = 'forged' WHERE id = {acts[0]}")
    tamper(
        own,
        "DO $$ DECLARE link audit_chain; line audit; last bytea := sha256('sluice'); BEGIN"
        " FOR link IN SELECT * FROM audit_chain ORDER BY place LOOP"
        " SELECT * INTO line FROM audit WHERE id = link.audit_id;"
        " last := audit_digest(last, line);"
        " UPDATE audit_chain SET digest = last WHERE place = link.place; END LOOP;"
        " UPDATE audit_head SET digest = last; END $$",
    )
    assert verify(own)["whole"]
    assert not verify(own, "--expect", noted)["whole"]


def test_a_guard_that_is_off_is_found(own: Stack, acts: list[int]) -> None:
    own.sql("ALTER TABLE audit DISABLE TRIGGER audit_kept")
    try:
        assert verify(own)["faults"] == ["the trigger audit.audit_kept is disabled or missing"]
    finally:
        own.sql("ALTER TABLE audit ENABLE TRIGGER audit_kept")


def test_a_decision_that_the_audit_does_not_tell_is_found(own: Stack, acts: list[int]) -> None:
    api = Api(own.url, own.json("client", "create", "Deciding", "--json")["key"])
    job_id = api.decided(unique("review_a.jpg"))["job_id"]
    moderator = person(own)
    [version] = [version for held, version in moderator.deck() if held == job_id]
    assert moderator.decide(job_id, version, "rejected:scam").status_code == 200
    assert verify(own)["whole"]
    tamper(
        own,
        f"UPDATE decision SET to_verdict = 'approved' WHERE submission_id = '{job_id}'"
        " AND moderator_id IS NOT NULL",
    )
    told = verify(own)
    assert any(job_id in fault and "audit" in fault for fault in told["faults"])
    assert any(job_id in fault and "last decision" in fault for fault in told["faults"])
    tamper(
        own,
        f"DELETE FROM decision WHERE submission_id = '{job_id}';"
        f" DELETE FROM submission WHERE id = '{job_id}'",
    )


@pytest.mark.parametrize("table", ["audit", "audit_chain", "audit_head", "decision"])
@pytest.mark.parametrize(
    "command",
    [
        "UPDATE {0} SET {1} = {1}",
        "DELETE FROM {0}",
        "TRUNCATE {0} CASCADE",
        "ALTER TABLE {0} DISABLE TRIGGER ALL",
        "ALTER TABLE {0} ADD COLUMN more text",
        "DROP TABLE {0} CASCADE",
        "LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
        "CREATE TRIGGER more BEFORE INSERT ON {0} EXECUTE FUNCTION audit_link()",
        "ALTER TABLE {0} OWNER TO sluice",
    ],
)
def test_the_applications_role_cannot_change_it(
    own: Stack, acts: list[int], table: str, command: str
) -> None:
    column = {"audit": "action", "decision": "reason"}.get(table, "place")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        own.sql(command.format(table, column), role=APPLICATION)


@pytest.mark.parametrize(
    "command",
    [
        "SET session_replication_role = replica",
        "SET ROLE sluice_owner",
        "SET SESSION AUTHORIZATION postgres",
        "INSERT INTO audit_chain VALUES (99999, 1, '')",
        "DELETE FROM submission",
        "CREATE TABLE public.mine ()",
        "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN OLD; END'",
        "DROP FUNCTION append_only() CASCADE",
        "COPY audit TO PROGRAM 'cat'",
    ],
)
def test_it_has_no_way_around(own: Stack, acts: list[int], command: str) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        own.sql(command, role=APPLICATION)
    refusals = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidParameterValue)
    assert isinstance(refused.value, refusals), refused.value


@pytest.mark.parametrize("role", [OWNER, SUPERUSER])
@pytest.mark.parametrize("password", [None, "", "sluice"])
def test_its_user_is_neither_the_owner_nor_the_superuser(
    own: Stack, role: str, password: str | None
) -> None:
    """Nor does a program that only reaches the socket become one of them."""
    where = {"host": str(own.home / "run"), "dbname": "sluice"}
    psycopg2.connect(**where, user=APPLICATION).close()
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(**where, user=role, password=password)


def test_the_passwords_of_another_installation_are_replaced(own: Stack) -> None:
    own.down()
    passwords = own.home / "secrets" / "pgpass"
    before = passwords.read_text()
    passwords.unlink()
    own.up()
    assert passwords.read_text() != before
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert own.sql("SELECT current_user", role=SUPERUSER) == [(SUPERUSER,)]


def test_the_application_runs_as_that_role(own: Stack) -> None:
    names = own.sql(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'sluice'"
    )
    assert names == [(APPLICATION,)]


def test_what_a_restore_left_to_the_application_goes_back_to_the_owner(own: Stack) -> None:
    own.down()
    own.up()
    own.sql("ALTER TABLE audit OWNER TO sluice; GRANT ALL ON audit_chain TO sluice", role=SUPERUSER)
    assert verify(own)["one_role"]
    own.down()
    own.up()
    told = verify(own)
    assert (told["one_role"], told["application_may"]) == (False, [])


def test_the_export_can_be_followed_by_anybody(own: Stack, acts: list[int]) -> None:
    digest = hashlib.sha256(b"sluice").digest()
    lines = [json.loads(line) for line in own.run("audit", "export").stdout.splitlines()]
    for line in lines:
        digest = hashlib.sha256(digest + line["digested"].encode()).digest()
        assert digest.hex() == line["digest"]
    assert digest.hex() == head(own)
    assert [line["id"] for line in lines][-8:] == acts


def test_ten_thousand_acts_of_one_transaction_are_linked(own: Stack, acts: list[int]) -> None:
    own.sql("INSERT INTO audit (action) SELECT 'many' FROM generate_series(1, 10000)")
    told = verify(own)
    assert told["whole"] and told["rows"] >= 10_008
