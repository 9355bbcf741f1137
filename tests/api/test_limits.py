"""Limits: an author, an author's address; clients do not share them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from limits import parse
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from tests.support.api import Api
from tests.support.stack import Stack


def statuses(api: Api, count: int, **fields: Any) -> list[int]:
    """The statuses of so many uploads, of which 202 is told as 200.

    Both say that it was taken and counted; which of them depends on whether its verdict was there
    within SYNC_TIMEOUT, and that is no matter of limits.
    """
    found = [api.submit(title=f"n {i}", **fields).status_code for i in range(count)]
    return [200 if status == 202 else status for status in found]


def test_an_author_has_ten_a_minute(api: Api) -> None:
    found = statuses(api, 12, user_id=f"busy-{uuid4().hex}")
    assert found == [200] * 10 + [429] * 2


def test_the_reply_says_whose_limit_and_when_to_come_back(api: Api) -> None:
    author = f"busy-{uuid4().hex}"
    statuses(api, 10, user_id=author)
    reply = api.submit(user_id=author, title="one more")
    assert reply.json()["detail"] == "This author may make 10 uploads in a minute."
    assert 1 <= int(reply.headers["Retry-After"]) <= 61


def test_a_refused_upload_leaves_no_row(api: Api, stack) -> None:
    author = f"busy-{uuid4().hex}"
    statuses(api, 12, user_id=author)
    rows = stack.sql("SELECT count(*) FROM submission WHERE user_id = %s", author)
    assert rows == [(10,)]


def test_a_repeat_with_the_same_key_costs_nothing(api: Api, stack: Stack) -> None:
    author, headers = f"busy-{uuid4().hex}", {"Idempotency-Key": uuid4().hex}
    api.decided(user_id=author, title="same", headers=headers)
    found = [api.submit(user_id=author, title="same", headers=headers) for _ in range(14)]
    assert {reply.status_code for reply in found} == {200}
    assert left(stack, "10/minute", author) == 9


def test_one_address_has_fifty_a_minute(api: Api) -> None:
    address = f"2001:db8:{uuid4().hex[:4]}::1"
    assert statuses(api, 52, user_ip=address) == [200] * 50 + [429] * 2
    neighbour = address.replace("::1", "::ffff")  # the same /64 is the same household
    assert api.submit(title="x", user_ip=neighbour).status_code == 429


def test_another_clients_author_of_that_name_is_not_touched(api: Api, new_client, stack) -> None:
    author = f"busy-{uuid4().hex}"
    statuses(api, 11, user_id=author)
    other = Api(stack.url, new_client())
    assert statuses(other, 1, user_id=author) == [200]


def left(stack: Stack, limit: str, author: str) -> int:
    """What the library ``limits`` reads of an author's windows."""
    storage = storage_from_string(f"redis+unix://{stack.home}/run/redis.sock")
    known = SlidingWindowCounterRateLimiter(storage)
    [(client,)] = stack.sql("SELECT client_id FROM submission WHERE user_id = %s LIMIT 1", author)
    return known.get_window_stats(
        parse(limit), "sluice_v1", f"{client}:{author}", "author"
    ).remaining


def test_uploads_at_once_do_not_pass_their_limit_together(api: Api) -> None:
    author = f"busy-{uuid4().hex}"
    with ThreadPoolExecutor(16) as pool:
        replies = pool.map(lambda n: api.submit(user_id=author, title=f"n {n}"), range(32))
    found = sorted(reply.status_code for reply in replies)
    assert found[10:] == [429] * 22
    assert set(found[:10]) <= {200, 202}


def test_a_refused_upload_is_counted_by_none_of_its_limits(api: Api, stack: Stack) -> None:
    author = f"busy-{uuid4().hex}"
    statuses(api, 13, user_id=author)
    assert left(stack, "10/minute", author) == 0
    assert left(stack, "50/hour", author) == 40
