"""nginx as it runs: what it lets through, what it refuses and how, and what it keeps to itself."""

import json
import socket

import pytest
import requests

from models.settings import Settings
from tasks.stack.supervisor import Supervisor
from tests.stack import running, wait_until

PROBLEM = "application/problem+json"
BODY = 5 * 10_000 + 1024 * 1024  # MAX_FILES_PER_REQUEST x MAX_FILE_SIZE and room for the rest


@pytest.fixture(scope="module")
def own():
    settings = {"WEB_INSTANCES": "2", "PRIORITY_WORKERS": "0", "MAX_FILE_SIZE": "10000"}
    with running(**settings, NGINX_RATE="60", NGINX_CONNECTIONS="100") as stack:
        yield stack


def test_a_body_that_is_too_large_never_reaches_the_application(own):
    reply = requests.post(own.url + "/api/moderation/submissions", data=b"x" * (BODY + 1))
    assert reply.status_code == 413
    assert reply.headers["Content-Type"] == PROBLEM
    assert reply.json()["status"] == 413


def test_a_chunked_body_that_is_too_large_is_refused_too(own):
    pieces = iter([b"x" * 65536] * (BODY // 65536 + 2))
    reply = requests.post(own.url + "/api/moderation/submissions", data=pieces)
    assert reply.status_code == 413


def test_without_the_application_it_says_when_to_try_again(own):
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


def test_metrics_are_for_loopback_alone(own):
    assert requests.get(own.url + "/readyz").status_code != 404
    behind = {"X-Forwarded-For": "192.0.2.1"}
    for path in ("/metrics", "/readyz"):
        assert requests.get(own.url + path, headers=behind).status_code == 404


def test_media_cannot_be_asked_for(own):
    for path in ("/_media/", "/_media/x", "/_media/../secrets/session", "/%5fmedia/x"):
        assert requests.get(own.url + path).status_code == 404


def test_static_files_come_with_a_time_to_keep_them(own):
    plain = requests.get(own.url + "/static/css/base.css")
    assert plain.status_code == 200
    assert plain.headers["Cache-Control"] == "no-cache"  # asked for anew: modules must not mix
    versioned = requests.get(own.url + "/static/css/base.css?v=1")
    assert "immutable" in versioned.headers["Cache-Control"]


def test_static_files_end_at_their_folder(own):
    for path in ("/static/../setup.cfg", "/static/%2e%2e/setup.cfg", "/static../setup.cfg"):
        assert raw(own, f"GET {path} HTTP/1.1").split()[1] in ("400", "404")


def test_it_tells_no_version(own):
    assert requests.get(own.url + "/healthz").headers["Server"] == "nginx"


def test_the_access_log_is_json_with_times_and_ids(own):
    requests.get(own.url + "/api/openapi.json?secret=1", headers={"User-Agent": 'a"b\n'[:3]})
    path = own.home / "log" / "nginx.log"

    def lines():
        text = path.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]

    wait_until(lambda: any(line["agent"] == 'a"b' for line in lines()))
    line = next(line for line in lines() if line["agent"] == 'a"b')
    assert line["path"] == "/api/openapi.json"
    assert len(line["id"]) == 32
    assert line["seconds"] >= 0
    assert "secret" not in json.dumps(line)


def test_when_one_instance_dies_only_its_own_connection_breaks(own):
    own.kill("web_00")
    codes = [code_of(own) for _ in range(30)]
    assert codes.count(200) >= 29


def code_of(stack):
    """The status of a request; 0 where its reply broke off."""
    try:
        return requests.get(stack.url + "/healthz", timeout=5).status_code
    except requests.RequestException:
        return 0


def raw(stack, line):
    """The reply to a request line that no client library would send."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as connection:
        connection.sendall(f"{line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile("rb").read().decode("latin-1")
