"""HTTPS at nginx: protocols, the redirect, renewals, and bad certificates."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography import x509

from models.errors import SettingError
from models.settings import Settings
from tests.support.stack import free_port, running, wait_until

CA = trustme.CA()
NAMES = ("127.0.0.1", "localhost")
YEAR = 31_536_000


def issue(folder: Path, until: datetime | None = None) -> int:
    """A new certificate in ``folder``, as certbot would renew it; its serial number."""
    made = CA.issue_cert(*NAMES, not_after=until)
    chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
    (folder / "key.pem").write_bytes(made.private_key_pem.bytes())
    (folder / "chain.pem").write_bytes(chain)
    return x509.load_pem_x509_certificate(chain).serial_number


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    issue(folder)
    return folder


@pytest.fixture(scope="module")
def own(pair):
    """A stack that serves HTTPS on PORT and redirects to it from HTTP_PORT."""
    paths = {"TLS_CERTIFICATE": str(pair / "chain.pem"), "TLS_KEY": str(pair / "key.pem")}
    with running(**paths, HTTP_PORT=str(free_port())) as stack:
        stack.url = f"https://127.0.0.1:{stack.port}"
        yield stack


@pytest.fixture(scope="module")
def trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@pytest.fixture
def browser(own, trust):
    with httpx.Client(http2=True, verify=trust, base_url=own.url) as client:
        yield client


def serial(own, trust) -> int:
    """The serial number of the certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", own.port), 5) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return x509.load_der_x509_certificate(connection.getpeercert(True)).serial_number


def test_http_2_is_served_and_hsts_is_set(browser):
    for path in ("/healthz", "/console/sign-in", "/static/css/base.css", "/nothing"):
        reply = browser.get(path)
        assert reply.http_version == "HTTP/2"
        assert reply.headers["Strict-Transport-Security"] == f"max-age={YEAR}"
    policy = browser.get("/console/sign-in").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy  # nginx adds its header, it takes none away


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_protocols_are_refused(own, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with socket.create_connection(("127.0.0.1", own.port), 5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


def test_http_redirects_to_https(own):
    elsewhere = {"Host": "evil.example"}
    for port in (own.env["HTTP_PORT"], own.port):
        url = f"http://127.0.0.1:{port}/console/review?view=list"
        reply = httpx.get(url, headers=elsewhere)
        assert reply.status_code == 308
        assert reply.headers["Location"] == f"{own.url}/console/review?view=list"
        assert "Strict-Transport-Security" not in reply.headers


def test_the_acme_challenge_is_served(own):
    folder = own.home / "acme" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("answer")
    base = f"http://127.0.0.1:{own.env['HTTP_PORT']}/.well-known/acme-challenge"
    assert httpx.get(f"{base}/token").text == "answer"
    assert httpx.get(f"{base}/other").status_code == 404
    assert httpx.get(f"{base}/../../../secrets/session").status_code == 308


def test_the_session_cookie_is_only_for_this_host(own, browser):
    made = own.json("moderator", "create", "Mara of TLS", "--json")
    form = browser.get("/console/sign-in").text
    fields = {
        "csrf_token": re.search(r'csrf_token" value="([^"]+)', form)[1],
        "name": "Mara of TLS",
        "password": made["password"],
    }
    page = {"Referer": f"{own.url}/console/sign-in"}
    reply = browser.post("/console/sign-in", data=fields, headers=page)
    assert reply.status_code == 303
    cookies = reply.headers.get_list("Set-Cookie")
    names = {cookie.partition("=")[0] for cookie in cookies}
    assert names == {"__Host-sluice", "__Host-sluice-browser"}
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert browser.get("/console/").status_code == 200


def test_addresses_in_replies_are_https(own, browser):
    key = own.json("client", "create", "Site of TLS", "--json")["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    upload = {"user_id": "a", "title": "Chairs"}
    told = browser.post("/api/moderation/submissions", json=upload, headers=bearer).json()
    assert told["check_url"].startswith(("https://", "/"))
    assert browser.get("/api/openapi.json").json()["servers"][0]["url"] == own.url
    assert own.status()["url"] == own.url


def test_a_renewed_certificate_is_served_without_an_error(own, trust, pair):
    """Requests on old and on new connections go on while the files are replaced."""
    stop, codes = threading.Event(), []

    def knock():
        with httpx.Client(http2=True, verify=trust, base_url=own.url) as kept:
            while not stop.is_set():
                codes.append(kept.get("/healthz").status_code)
                codes.append(httpx.get(f"{own.url}/healthz", verify=trust).status_code)

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        new = issue(pair)
        wait_until(lambda: serial(own, trust) == new, 30)
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(codes) > 20 and set(codes) == {200}


def test_a_bad_renewal_leaves_the_old_certificate(own, trust, pair):
    good = (pair / "key.pem").read_bytes()
    chain = (pair / "chain.pem").read_bytes()
    before = {x509.load_pem_x509_certificate(chain).serial_number}

    def served() -> set[int]:
        """Each process of nginx looks for itself."""
        return {serial(own, trust) for _ in range(20)}

    wait_until(lambda: served() == before, 30)
    log = own.home / "log" / "standby.log"
    complaints = log.read_text().count("the old certificate stays")
    (pair / "key.pem").write_bytes(CA.issue_cert("localhost").private_key_pem.bytes())
    wait_until(lambda: log.read_text().count("the old certificate stays") > complaints, 30)
    time.sleep(1.5)  # nginx looks every second
    assert served() == before
    (pair / "key.pem").write_bytes(good)


def refusal(new_stack, **settings: str) -> str:
    done = new_stack(**settings).up(check=False)
    assert done.returncode == 1
    return done.stderr


def test_up_reports_what_is_wrong_with_a_pair(new_stack, tmp_path):
    issue(tmp_path, until=datetime.now(UTC) - timedelta(days=3))
    paths = {"TLS_CERTIFICATE": str(tmp_path / "chain.pem"), "TLS_KEY": str(tmp_path / "key.pem")}
    assert re.search(r"up: TLS_CERTIFICATE: \S+ expired on 20\d\d-", refusal(new_stack, **paths))
    issue(tmp_path)
    (tmp_path / "key.pem").write_bytes(CA.issue_cert("localhost").private_key_pem.bytes())
    assert "is not the key of" in refusal(new_stack, **paths)
    (tmp_path / "key.pem").write_text("not a key")
    assert "is not a PEM private key" in refusal(new_stack, **paths)
    (tmp_path / "key.pem").chmod(0)
    assert "Permission denied" in refusal(new_stack, **paths)
    (tmp_path / "chain.pem").unlink()
    assert "No such file" in refusal(new_stack, **paths)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("must be set together", {"TLS_KEY": "/k"}),
        ("HTTP_PORT redirects to HTTPS", {"HTTP_PORT": "80"}),
        ("a port other than PORT", {"HTTP_PORT": "8080", "TLS_KEY": "/k", "TLS_CERTIFICATE": "/c"}),
        ("http://", {"PUBLIC_URL": "http://x", "TLS_KEY": "/k", "TLS_CERTIFICATE": "/c"}),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, words, settings):
    with pytest.raises(SettingError, match=words):
        Settings.load({"SLUICE_HOME": str(tmp_path), **settings})
