"""nginx as it runs: what it forwards, what it refuses, and what it does not reveal."""

import contextlib
import json
import re
import socket

import pytest
import requests

from models.settings import Settings
from tasks.servers.supervisor_client import Supervisor
from tests.support.stack import running, wait_until
from tests.support.stored import files

PROBLEM = "application/problem+json"
MOST = 10  # NGINX_CONNECTIONS of the stack behind a proxy
BODY = 5 * 10_000 + 1024 * 1024  # MAX_FILES_PER_REQUEST x MAX_FILE_SIZE and room for the rest


@pytest.fixture(scope="module")
def own():
    settings = {"WEB_INSTANCES": "2", "PRIORITY_WORKERS": "0", "MAX_FILE_SIZE": "10000"}
    with running(**settings, NGINX_RATE="60", NGINX_CONNECTIONS="100") as stack:
        yield stack


@pytest.fixture(scope="module")
def site(own):
    """The headers of a client."""
    return {"Authorization": f"Bearer {own.json('client', 'create', 'Edge', '--json')['key']}"}


@pytest.fixture(scope="module")
def trusting():
    """A stack with a proxy before it."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "METRICS_ALLOWED": "192.0.2.0/24,198.51.100.9"}
    with running(**settings, NGINX_CONNECTIONS=str(MOST), NGINX_UPLOADS="4") as stack:
        yield stack


def test_a_body_that_is_too_large_never_reaches_the_application(own):
    reply = requests.post(own.url + "/api/moderation/submissions", data=b"x" * (BODY + 1))
    assert reply.status_code == 413
    assert reply.headers["Content-Type"] == PROBLEM
    assert reply.json()["status"] == 413


def test_a_chunked_body_that_is_too_large_is_refused_too(own, site):
    pieces = iter([b"x" * 65536] * (BODY // 65536 + 2))
    reply = requests.post(own.url + "/api/moderation/submissions", data=pieces, headers=site)
    assert reply.status_code == 413


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/healthz", 413),
        ("/console/sign-in", 413),
        ("/console/rules", 413),
        ("/api/moderation/appeals", 413),
        ("/api/moderation/submissions", 401),
        ("/api/moderation/submissions/image", 401),
        ("/api/moderation/detect", 401),
        ("/console/rules/import", 303),
        ("/console/known-images/import", 303),
        ("/console/known-images", 303),
    ],
)
def test_a_strangers_large_body_is_refused_before_it_is_read(own, path, code):
    """The response comes although nothing of the body was sent."""
    lengths = ["Content-Length: 600000", "Transfer-Encoding: chunked"]
    for length in lengths[: 1 if code == 413 else 2]:  # a chunk of unknown length may be small
        assert status_without_body(own, f"POST {path} HTTP/1.1\r\n{length}") == code
    assert status_without_body(own, "GET /_large_body HTTP/1.1") == 204  # says nothing


def test_the_application_bounds_forms_itself(own):
    """A body that reaches a web instance by another way than nginx."""
    form = "Content-Type: application/x-www-form-urlencoded"
    assert to_instance(own, "/console/sign-in", b"a=" + b"x" * 70_000, form) == 413
    assert to_instance(own, "/console/sign-in", b"a&" * 2000, form) == 413
    assert to_instance(own, "/console/sign-in", b"a&" * 200, form) == 400  # without its token
    assert to_instance(own, "/console/rules/import", b"a=" + b"x" * 70_000, form) == 401


def test_a_strangers_file_is_not_stored(own):
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    kind = "Content-Type: multipart/form-data; boundary=b"
    before = files(own)
    for path, code in (("/console/sign-in", 422), ("/console/rules/import", 401)):
        assert to_instance(own, path, part, kind) == code
    assert files(own) == before


def test_without_the_application_the_response_has_retry_after(own):
    supervisor = Supervisor(Settings.load(own.env))
    web = ["web:web_00", "web:web_01"]
    supervisor.stop(web)
    supervisor.wait(web, {"STOPPED"}, 20)
    away = requests.get(own.url + "/api/openapi.json")
    page = requests.get(own.url + "/console/")
    supervisor.start(web)
    assert (away.status_code, page.status_code) == (503, 503)
    assert away.headers["Content-Type"] == PROBLEM
    assert away.json()["status"] == 503
    assert int(away.headers["Retry-After"]) >= 1
    assert page.headers["Content-Type"].startswith("text/html")
    wait_until(own.serves)


def test_metrics_are_only_for_loopback(own):
    assert requests.get(own.url + "/readyz").status_code != 404
    behind = {"X-Forwarded-For": "192.0.2.1"}
    for path in ("/metrics", "/readyz"):
        assert requests.get(own.url + path, headers=behind).status_code == 404


def test_metrics_are_only_for_allowed_addresses(trusting):
    for address, status in (("192.0.2.7", 200), ("198.51.100.9", 200), ("198.51.100.10", 404)):
        from_there = {"X-Forwarded-For": address}
        assert requests.get(trusting.url + "/metrics", headers=from_there).status_code == status
        assert requests.get(trusting.url + "/readyz", headers=from_there).status_code == 404


def test_media_has_no_url(own):
    for path in ("/_media/", "/_media/x", "/_media/../secrets/session", "/%5fmedia/x"):
        assert requests.get(own.url + path).status_code == 404


def test_static_files_have_a_cache_lifetime(own):
    plain = requests.get(own.url + "/static/css/base.css")
    assert plain.status_code == 200
    assert plain.headers["Cache-Control"] == "no-cache"  # asked for anew: modules must not mix
    versioned = requests.get(own.url + "/static/css/base.css?v=1")
    assert "immutable" in versioned.headers["Cache-Control"]


def test_static_files_outside_the_folder_are_not_served(own):
    for path in ("/static/../setup.cfg", "/static/%2e%2e/setup.cfg", "/static../setup.cfg"):
        assert raw(own, f"GET {path} HTTP/1.1").split()[1] in ("400", "404")


def test_neither_headers_nor_errors_show_versions_or_traces(own, site):
    known = re.compile(r"nginx/|gunicorn|werkzeug|flask|python|psycopg|peewee|traceback", re.I)
    key = {"Authorization": "Bearer x"}
    upload = "/api/moderation/submissions"
    replies = [
        requests.get(own.url + "/healthz"),
        requests.get(own.url + "/nothing"),
        requests.get(own.url + "/console/nothing"),
        requests.get(own.url + "/static/nothing"),
        requests.get(own.url + upload, headers=key),
        requests.put(own.url + upload, headers=key),
        requests.post(own.url + upload, data="{", headers={"Content-Type": "application/json"}),
        requests.post(own.url + upload, json={"user_id": "a\0b", "title": "x"}, headers=site),
        requests.post(own.url + upload, data="{", headers={**site, "Content-Type": "text/x"}),
        requests.get(own.url + "/api/moderation/status/not-a-number", headers=site),
        requests.post(own.url + "/console/sign-in", data={"name": "x"}),
        requests.request("TRACE", own.url + "/healthz"),
    ]
    for reply in replies:
        said = f"{reply.headers} {reply.text}".replace("/static/", "")
        assert reply.headers["Server"] == "nginx"
        assert not {"X-Powered-By", "Via"} & set(reply.headers)
        assert not known.search(said), (reply.url, reply.status_code, known.search(said))
    for line in ("GET / HTTP/9.9", "BROKEN", "GET /" + "x" * 20_000 + " HTTP/1.1"):
        assert not known.search(raw(own, line))


def test_only_a_trusted_proxy_sets_the_client_address(own):
    """A direct connection's own address counts, whatever its headers say."""
    told = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "User-Agent": "spoof"}
    told |= {"Forwarded": "for=203.0.113.9", "X-Forwarded-Host": "evil.example"}
    told |= {"X-Forwarded-Proto": "https"}
    reply = requests.get(own.url + "/console/", headers=told, allow_redirects=False)
    assert reply.headers["Location"].startswith("/console/sign-in")
    assert "evil" not in str(reply.headers) + reply.text
    wait_until(lambda: address_of(own, "spoof"))
    assert address_of(own, "spoof") == "127.0.0.1"


def test_a_trusted_proxys_address_counts_but_not_the_ones_before_it(trusting):
    chain = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4", "User-Agent": "chain"}
    requests.get(trusting.url + "/healthz?not-logged")
    requests.get(trusting.url + "/console/sign-in", headers=chain)
    wait_until(lambda: address_of(trusting, "chain"))
    assert address_of(trusting, "chain") == "198.51.100.4"  # the one that connected to the proxy
    from_afar = requests.get(trusting.url + "/readyz", headers={"X-Forwarded-For": "127.0.0.1"})
    assert from_afar.status_code == 404


@pytest.mark.parametrize(
    ("path", "most", "holds", "same", "other"),
    [
        ("/console/sign-in", MOST, "2001:db8::{}", "2001:db8::ffff:1:2:3", "2001:db8:0:1::1"),
        ("/console/sign-in", MOST, "::ffff:203.0.113.5", "203.0.113.5", "203.0.113.6"),
        ("/api/moderation/submissions", 4, "2001:db9::{}", "2001:db9::f", "2001:db9:1::1"),
    ],
)
def test_connections_and_uploads_count_by_ipv6_network(trusting, path, most, holds, same, other):
    """Bodies that do not come hold their places; another address of the same network has none."""

    def begin(address):
        """What nginx says before it reads the body: 100 if the request has a place."""
        line = open_ones.enter_context(
            socket.create_connection(("127.0.0.1", trusting.port), timeout=30)
        )
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n"
        line.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n".encode())
        return int(line.makefile("rb").readline().split()[1])

    with contextlib.ExitStack() as open_ones:
        assert [begin(holds.format(number)) for number in range(most)] == [100] * most
        assert begin(same) == 429
        assert begin(other) == 100


def test_the_access_log_has_no_token_of_a_link(own):
    for path in ("/console/setup/tokentoken", "/console/password/tokentoken"):
        requests.get(own.url + path, headers={"User-Agent": path[9:14]})
    wait_until(lambda: address_of(own, "setup") and address_of(own, "passw"))
    text = (own.home / "log" / "nginx.log").read_text("utf-8")
    assert "/console/setup/-" in text
    assert "tokentoken" not in text


def test_slow_and_idle_connections_do_not_block_other_requests(stack):
    with contextlib.ExitStack() as open_ones:
        for number in range(220):
            connection = socket.create_connection(("127.0.0.1", stack.port), timeout=5)
            open_ones.enter_context(connection)
            if number >= 200:
                connection.sendall(b"POST /api/moderation/detect HTTP/1.1\r\nHost: x\r\n")
                connection.sendall(b"Content-Length: 99999\r\n\r\n{" if number % 2 else b"X-Slow: ")
        for _ in range(5):
            assert requests.get(stack.url + "/healthz", timeout=5).status_code == 200


def test_the_access_log_is_json_with_times_and_ids(own):
    requests.get(own.url + "/api/openapi.json?secret=1", headers={"User-Agent": 'a"b\n'[:3]})
    path = own.home / "log" / "nginx.log"

    def lines():
        text = path.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]

    wait_until(lambda: any(line["agent"] == 'a"b' for line in lines()))
    line = next(line for line in lines() if line["agent"] == 'a"b')
    assert line["path"] == "/api/openapi.json"
    assert len(line["request_id"]) == 32
    assert line["seconds"] >= 0
    assert "secret" not in json.dumps(line)


def test_when_an_instance_dies_only_its_own_connections_fail(own):
    own.kill("web_00")
    codes = [code_of(own) for _ in range(30)]
    assert codes.count(200) >= 29


def address_of(stack, agent):
    """The address that the access log names for the request of that user agent."""
    text = (stack.home / "log" / "nginx.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]
    return next((line["address"] for line in lines if line["agent"] == agent), None)


def code_of(stack):
    """The status of a request; 0 if its response was cut off."""
    try:
        return requests.get(stack.url + "/healthz", timeout=5).status_code
    except requests.RequestException:
        return 0


def to_instance(stack, path, body, *headers):
    """The status of a POST that goes to a web instance without nginx."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(Settings.load(stack.env).run / "web_00.sock"))
        connection.sendall("\r\n".join(lines).encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


def status_without_body(stack, line):
    """The status that comes at once, before anything of the body was sent."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as connection:
        connection.sendall(f"{line}\r\nHost: x\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def raw(stack, line):
    """The reply to a request line that no client library would send."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as connection:
        connection.sendall(f"{line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile("rb").read().decode("latin-1")
