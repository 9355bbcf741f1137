"""The demo: every upload is sent, and each verdict occurs."""

import re

from tasks.demo.uploads import KINDS, Stream
from tests.support.stack import free_port

COUNT = 36


def numbers(text):
    """The counts of the summary by their names."""
    return {name: int(count) for name, count in re.findall(r"(\w+) {2,}(\d+)$", text, re.MULTILINE)}


def test_it_sends_everything_and_shows_every_verdict(stack):
    told = stack.run("demo", "--count", str(COUNT), "--rate", "20", "--seed", "7").stdout
    counts = numbers(told)
    refused = sum(int(count) for count in re.findall(r"\b4\d\d \w+ +(\d+)$", told, re.MULTILINE))
    assert f"{COUNT} in " in told
    assert min(counts[name] for name in ("approved", "review", "rejected")) >= 1
    assert sum(counts[name] for name in ("approved", "review", "rejected")) + refused == COUNT
    assert f"{stack.url}/console/review" in told


def test_the_client_is_created_once(stack):
    for _ in range(2):
        stack.run("demo", "--burst", "2")
    assert stack.sql("SELECT count(*) FROM client WHERE name = 'Demo'") == [(1,)]


def test_a_given_key_is_used(stack, client_key):
    stack.run("demo", "--burst", "1", "--key", client_key, "--seed", "424242")
    rows = stack.sql(
        "SELECT client.name FROM submission JOIN client ON client.id = submission.client_id"
        " WHERE external_id = 'demo-424242-1'"
    )
    assert rows == [("Tests",)]


def test_without_a_stack_it_says_so_in_one_line(new_stack):
    done = new_stack(PORT=str(free_port())).run("demo", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run scripts/up first" in done.stderr


def test_the_same_seed_sends_the_same():
    assert list(Stream(5, 40)) == list(Stream(5, 40))
    assert list(Stream(5, 40)) != list(Stream(6, 40))


def test_a_short_stream_shows_every_kind():
    uploads = list(Stream(1, len(KINDS)))
    assert len({upload.fields["user_id"] for upload in uploads}) >= len(KINDS) - 1
    assert any(len(upload.pictures) > 1 for upload in uploads)
    assert any(name.endswith((".gif", ".webp")) for up in uploads for name, _ in up.pictures)
