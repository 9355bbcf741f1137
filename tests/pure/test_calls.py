"""Calls to webhooks: where they may go, how each ends, and when it is tried again."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import pytest
import trustme

from models.errors import Invalid, SettingError
from models.settings import Settings
from models.settings.allowed_hosts import Allowed, is_public
from tasks.webhooks import deliver, http_post, resolve
from tasks.webhooks.resolve import CallFailed
from tests.support.receiver import Receiver, receiving

HERE = Allowed.parse("127.0.0.1, localhost")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


# Where a call may go


@pytest.mark.parametrize(
    "address",
    """0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.9.9.9 168.63.129.16
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
    198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.1.2.3 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::10.0.0.1
    64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 5f00::1 fc00::1
    fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1""".split(),
)
def test_an_address_that_is_not_public(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a01:4f8::1"])
def test_an_address_that_is_public(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    """127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 localhost ::1 ::ffff:127.0.0.1 0.0.0.0 ::
    169.254.169.254 10.1.2.3""".split(),
)
def test_a_private_address_is_not_called_however_it_is_written(host):
    with receiving() as server, pytest.raises(CallFailed) as caught:
        written = f"[{host}]" if ":" in host else host
        http_post.post(f"http://{written}:{server.port}/hook", b"", {}, Allowed())
    assert caught.value.name == "private address" and not server.calls


@pytest.mark.parametrize(
    "host",
    """localhost localhost. LOCALHOST a.localhost 127.0.0.1. 0x7f.1 2130706433 0177.0.0.1. 127.1
    127\u30020\u30020\u30021 127\uff0e0\uff0e0\uff0e1 \uff11\uff12\uff17.1 10.0.0.1. [::1]
    [::1%25lo] [fe80::1%25eth0] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] [fd00::1]
    1.2.3.4.5 256.1.1.1 a..example %31%32%37.0.0.1
    0x7f000001. 1.2.3.08""".split(),
)
def test_a_private_address_is_not_saved_however_it_is_written(host, monkeypatch):
    """Not even if the system's resolver does not know the notation."""

    def resolver(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(Invalid):
        resolve.check_webhook(f"https://{host}/hook", Settings())
    resolve.check_webhook("https://hooks.example.org./hook", Settings())


def test_an_allowed_address_is_saved():
    allowed = Settings(webhook_allowed_hosts="127.0.0.1, hooks.internal")
    for host in ("127.0.0.1", "127.1", "localhost", "hooks.internal."):
        resolve.check_webhook(f"https://{host}/hook", allowed)


@pytest.mark.parametrize(
    ("text", "host", "address", "may"),
    [
        ("hooks.internal", "Hooks.Internal.", "10.0.0.5", True),
        ("hooks.internal", "other.internal", "10.0.0.5", False),
        ("10.0.0.5", "x", "10.0.0.5", True),
        ("10.0.0.5", "x", "10.0.0.6", False),
        ("fd00::/8, 192.168.0.0/16", "x", "192.168.7.7", True),
        ("fd00::/8, 192.168.0.0/16", "x", "fd00::1", True),
        ("127.0.0.0/8", "x", "::ffff:127.0.0.1", False),
    ],
)
def test_an_operator_allows_hosts_addresses_and_networks(text, host, address, may):
    allowed = Allowed.parse(text)
    assert (allowed.has_name(host) or allowed.has(ip_address(address))) == may


@pytest.mark.parametrize("text", ["http://a.example", "10.0.0.0/99", "a b", "*"])
def test_what_cannot_be_allowed_ends_the_start(text):
    with pytest.raises(SettingError, match="WEBHOOK_ALLOWED_HOSTS"):
        Allowed.parse(text)


def test_a_name_is_looked_up_once_and_called_where_it_led(receiver, monkeypatch):
    """The resolver's second answer, a rebinding, is never asked for."""
    asked = []

    def resolver(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.66"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    before = len(receiver.calls)
    url = f"http://rebinding.example:{receiver.port}/hook?a=ü&b=%20"
    assert http_post.post(url, b"{}", {}, HERE).status == 200
    [call] = receiver.calls[before:]
    assert asked == ["rebinding.example"]
    assert call.headers["host"] == f"rebinding.example:{receiver.port}"
    assert call.path == "/hook?a=%C3%BC&b=%20"
    with pytest.raises(CallFailed, match=r"127\.0\.0\.66"):
        http_post.post(url, b"{}", {}, HERE)


def test_of_several_addresses_only_those_that_may_be_called_are(receiver, monkeypatch):
    answers = [(socket.AF_INET, 1, 6, "", (name, 0)) for name in ("127.0.0.66", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert http_post.post(f"http://two.example:{receiver.port}/", b"", {}, HERE).status == 200


# How a call ends


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        ("hook", 200),
        ("redirect", 302),
        ("moved", 308),
        ("gone", 410),
        ("endless-body", 200),
        ("broken-body", 200),
        ("slow-body", 200),
        ("gzip-bomb", 200),
        ("endless-headers", "too large"),
        ("endless-line", "too large"),
        ("hints", "too large"),
        ("reset", "reset"),
        ("no-reply", "no reply"),
        ("garbage", "garbled"),
        ("http-0.9", "garbled"),
        ("bad-status", "garbled"),
    ],
)
def test_how_a_call_ends(receiver, way, wanted):
    before = len(receiver.calls)
    assert ended(receiver.at(way)) == wanted
    assert [call.path for call in receiver.calls[before:]] == [f"/{way}"]  # no redirect is followed


def test_slow_receivers_end_after_fifteen_seconds(monkeypatch):
    """A byte a second resets the timeout of a socket; it does not move the end of a call.

    None of these receivers ends the call. The deadline is shorter here, so that nobody waits.
    """
    assert http_post.DEADLINE == 15  # as the console says
    monkeypatch.setattr(http_post, "DEADLINE", 1.5)
    with receiving() as server, socket.create_server(("127.0.0.1", 0)) as deaf:
        urls = [server.at(way) for way in ("silent", "slow-headers", "slow-hints")]
        urls.append(f"https://127.0.0.1:{deaf.getsockname()[1]}/")  # takes, and says no hello
        with ThreadPoolExecutor(len(urls)) as pool:
            assert list(pool.map(ended, urls)) == ["timeout"] * len(urls)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert ended(f"http://127.0.0.1:{port}/") == "refused"
    assert ended("http://no-such-name.invalid/") == "dns"
    assert ended(f"http://{'a' * 70}.example/") == "dns"


def ended(url: str) -> int | str:
    """The status that a call brings, or the name of what went wrong."""
    try:
        return http_post.post(url, b'{"a":1}', {"content-type": "application/json"}, HERE).status
    except CallFailed as error:
        return error.name


@pytest.fixture
def secure(tmp_path, monkeypatch) -> Iterator[Callable[..., Receiver]]:
    """Receivers with certificates for the names given, by an authority that the system trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http_post._tls.cache_clear()
    open_ = []

    def make(*names: str, by: trustme.CA = authority) -> Receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        by.issue_cert(*names).configure_cert(context)
        block = receiving(context)
        open_.append(block)
        return block.__enter__()

    yield make
    for block in open_:
        block.__exit__(None, None, None)
    http_post._tls.cache_clear()


def test_tls_is_for_the_name_of_the_address(secure):
    server = secure("localhost")
    assert ended(f"https://localhost:{server.port}/hook") == 200
    assert server.names == ["localhost"]
    assert server.calls[0].headers["host"] == f"localhost:{server.port}"
    assert ended(server.url) == "tls"  # the certificate does not name 127.0.0.1


def test_a_certificate_may_name_an_address(secure):
    assert ended(secure("127.0.0.1").url) == 200


def test_a_certificate_that_nobody_vouches_for(secure):
    server = secure("localhost", by=trustme.CA())
    assert ended(f"https://localhost:{server.port}/hook") == "tls"
    assert not server.calls


def test_a_receiver_that_speaks_no_tls_at_all():
    with socket.create_server(("127.0.0.1", 0)) as plain, ThreadPoolExecutor(1) as pool:

        def refuse() -> None:
            with plain.accept()[0] as sock:
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                sock.recv(4096)

        pool.submit(refuse)
        assert ended(f"https://127.0.0.1:{plain.getsockname()[1]}/hook") == "tls"


# When it is tried again


def test_retries_take_more_than_a_day_and_never_long_between():
    pauses = [[deliver.pause(n) for n in range(1, deliver.ATTEMPTS)] for _ in range(50)]
    for one in pauses:
        assert 24 * 3600 < sum(one) < 36 * 3600
        assert max(one) <= deliver.LONGEST_PAUSE and min(one) >= 3
    assert len({sum(one) for one in pauses}) == 50


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("-5", 0),
        ("99999999999999999999", deliver.LONGEST_PAUSE),
        ("soon", 0),
        ("", 0),
        (None, 0),
        (format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True), 0),
        (format_datetime(datetime(2199, 1, 1, tzinfo=UTC), usegmt=True), 4 * 3600),
    ],
)
def test_what_a_retry_after_asks_for(value, seconds):
    assert deliver.requested_pause(value) == seconds


def test_a_retry_after_may_be_a_date():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 60 < deliver.requested_pause(at) <= 90
