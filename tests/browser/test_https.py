"""The console over HTTPS in a real browser."""

from __future__ import annotations

import trustme
from playwright.sync_api import Browser

from tests.support.stack import running

STREAM = """() => new Promise((opened, failed) => {
    const stream = new EventSource("/console/events");
    stream.onopen = () => { stream.close(); opened(true); };
    stream.onerror = () => failed("no stream");
})"""


def test_somebody_signs_in_over_https(browser: Browser, tmp_path) -> None:
    made = trustme.CA().issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    made.cert_chain_pems[0].write_to_path(str(chain))
    made.private_key_pem.write_to_path(str(key))
    paths = {"TLS_CERTIFICATE": str(chain), "TLS_KEY": str(key)}
    with running(**paths) as stack:
        password = stack.json("moderator", "create", "Mara", "--json")["password"]
        context = browser.new_context(
            ignore_https_errors=True, base_url=f"https://127.0.0.1:{stack.port}"
        )
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto("/console/sign-in")
        page.fill("[name=name]", "Mara")
        page.fill("[name=password]", password)
        page.click("button.primary")
        page.wait_for_url("**/console/")
        assert page.evaluate(STREAM)
        cookies = {c["name"]: c for c in context.cookies()}
        assert cookies["__Host-sluice"]["secure"] and cookies["__Host-sluice"]["httpOnly"]
        context.close()
    assert not faults
