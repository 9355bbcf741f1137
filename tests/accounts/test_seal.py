"""Secrets in the database: sealed with a key that is no part of it, and what its loss means."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location

import peewee
import pytest

from models.database import encrypted_field
from models.errors import SettingError
from models.settings import ROOT, Settings
from models.webhooks.delivery import Delivery
from tasks.webhooks import deliver
from tasks.webhooks.resolve import CallFailed
from tests.support.account import Someone

PLAIN = "JBSWY3DP"


@pytest.fixture
def settings(stack):
    return Settings.load(stack.env)


def opened(stack, settings, query, *parameters):
    """A sealed value of the database, and what it opens to."""
    ((stored,),) = stack.sql(query, *parameters)
    encrypted_field.bind(settings)
    return stored, encrypted_field.decrypt(stored)


def test_the_phones_secret_is_sealed_in_the_database(stack, settings):
    mara = Someone(stack)
    mara.enrol()
    query = "SELECT totp_secret FROM moderator WHERE name = %s"
    stored, secret = opened(stack, settings, query, mara.name)
    assert stored.startswith(encrypted_field.MARK) and mara.secret not in stored
    assert secret == mara.secret


def test_a_webhooks_secrets_are_sealed_in_the_database(stack, settings):
    url = "https://example.org/hook"
    made = stack.json("client", "create", "Sealed site", "--webhook", url, "--json")
    query = "SELECT webhook_secret FROM client WHERE name = 'Sealed site'"
    stored, secret = opened(stack, settings, query)
    assert stored.startswith(encrypted_field.MARK) and made["webhook_secret"] not in stored
    assert secret == made["webhook_secret"]


def test_what_was_changed_or_sealed_elsewhere_is_lost(tmp_path):
    (tmp_path / "secrets").mkdir()
    key = tmp_path / "secrets" / "seal"
    key.write_text("a" * 64)
    encrypted_field.bind(Settings.load({"SLUICE_HOME": str(tmp_path)}))
    sealed = encrypted_field.encrypt("whsec_x")
    assert (
        encrypted_field.decrypt(sealed) == "whsec_x" and encrypted_field.decrypt("plain") == "plain"
    )
    changed = sealed[:-4] + ("aaa=" if sealed[-4:] != "aaa=" else "bbb=")
    assert not encrypted_field.decrypt(changed)
    key.write_text("b" * 64)
    lost = encrypted_field.decrypt(sealed)
    assert lost == "" and isinstance(lost, encrypted_field.Undecryptable)
    key.unlink()
    with pytest.raises(SettingError):
        encrypted_field.decrypt(sealed)


def test_without_the_key_only_a_recovery_code_lets_in(stack):
    mara = Someone(stack)
    codes = mara.enrol()
    mara.fresh()
    other = "sealed:gAAAAABother"  # as with another key
    stack.sql("UPDATE moderator SET totp_secret = %s WHERE name = %s", other, mara.name)
    browser = mara.browser()
    for guess in (mara.code(), "000000"):
        reply = browser.post("/sign-in/second-step", code=guess)
        assert (reply.status_code, "Use a recovery code" in reply.text) == (503, True)
    browser.post("/sign-in/second-step", code=codes[0])
    assert browser.get("/").url.endswith("/console/")


def test_the_migration_seals_older_rows_and_opens_them_on_the_way_back(stack, settings):
    mara, query = Someone(stack), "SELECT totp_secret FROM moderator WHERE name = %s"
    stack.sql("UPDATE moderator SET totp_secret = %s WHERE name = %s", PLAIN, mara.name)
    (path,) = (ROOT / "models" / "migrations").glob("*_sealed_secrets.py")
    spec = spec_from_file_location("sealed_secrets", path)
    migration = module_from_spec(spec)
    spec.loader.exec_module(migration)
    database = peewee.PostgresqlDatabase("sluice", user="sluice", host=str(settings.run))
    encrypted_field.bind(settings)
    with database.connection_context(), database.atomic() as transaction:
        migration.up(None, database)
        (sealed,) = database.execute_sql(query, (mara.name,)).fetchone()
        assert sealed.startswith(encrypted_field.MARK) and encrypted_field.decrypt(sealed) == PLAIN
        migration.down(None, database)
        assert database.execute_sql(query, (mara.name,)).fetchone() == (PLAIN,)
        transaction.rollback()


def test_a_webhook_whose_secret_is_lost_is_not_called_unsigned():
    with pytest.raises(CallFailed, match="unsigned"):
        deliver.send(Delivery(), [], frozenset())
