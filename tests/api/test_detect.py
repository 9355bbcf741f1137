"""Detection for many at once: each asker gets the answers to their own pictures."""

from __future__ import annotations

import hashlib
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.support.api import Api, eventually, unique
from tests.support.stack import Stack


def test_many_at_once_get_their_own_answers(api: Api) -> None:
    names = ["reject_a.jpg", "safe_coffee.jpg", "review_a.jpg"]

    def ask(number: int) -> None:
        pictures = [unique(names[(number + at) % 3]) for at in range(1 + number % 3)]
        files = [("images", (f"{at}.jpg", data)) for at, data in enumerate(pictures)]
        told = api.http.post(f"{api.base}/detect", files=files)
        assert told.status_code == 200, told.text
        for at, (data, found) in enumerate(zip(pictures, told.json(), strict=True)):
            assert found["sha256"] == hashlib.sha256(data).hexdigest()
            is_safe = names[(number + at) % 3].startswith("safe")
            assert (found["score"] < 0.2) == is_safe

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(24)))


def test_a_bad_picture_spoils_no_other_answer(api: Api) -> None:
    def ask(data: bytes) -> int:
        return api.http.post(f"{api.base}/detect", files={"images": ("a.jpg", data)}).status_code

    whole = unique("safe_coffee.jpg")
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(ask, [whole, whole[:200]] * 4))
    assert codes[::2] == [200] * 4
    assert all(400 <= code < 500 for code in codes[1::2])


def test_the_score_of_a_damaged_picture_comes_with_a_doubt(api: Api) -> None:
    whole = unique("safe_coffee.jpg")
    files = [("images", ("a.jpg", data)) for data in (whole, whole[: len(whole) * 2 // 3])]
    found = api.http.post(f"{api.base}/detect", files=files).json()
    assert found[0]["doubts"] == []
    assert found[1]["doubts"]
    told = api.decided(whole[: len(whole) * 2 // 3])
    assert told["verdict"] == "review"
    assert found[1]["doubts"][0] in told["reasons"][0]["explanation"]


def test_requests_that_wait_together_go_through_the_network_together(stack: Stack):
    # A new client: the measured cost of earlier jobs bounds how many a worker takes at once.
    api = Api(stack.url, stack.json("client", "create", "Together", "--json")["key"])

    def asked(data: bytes) -> int:
        return api.http.post(f"{api.base}/detect", files={"images": ("a.jpg", data)}).status_code

    def batches() -> tuple[float, float]:
        """(batches, pictures in them) so far."""
        text = requests.get(stack.url + "/metrics").text
        found = re.findall(r"^sluice_inference_batch_size_(count|sum) (\S+)$", text, re.M)
        told = {name: float(number) for name, number in found}
        return told["count"], told["sum"]

    workers = [name for name in stack.pids() if name.startswith(("worker", "priority"))]
    for name in workers:
        stack.kill(name, signal.SIGSTOP)
    before = batches()
    with ThreadPoolExecutor(8) as pool:
        codes = pool.map(asked, [unique("safe_coffee.jpg") for _ in range(8)])
        # One may have gone to each stopped worker already.
        eventually(lambda: api.stats()["queue_depth"] >= 8 - len(workers))
        for name in workers:
            stack.kill(name, signal.SIGCONT)
        assert list(codes) == [200] * 8
    after = eventually(lambda: (now := batches())[1] >= before[1] + 8 and now)
    assert after[0] - before[0] < 8, "each picture alone"
