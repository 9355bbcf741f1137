"""Three engines, one score: within 0.01 of opennsfw2 on every fixture, and the same verdict."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.classifier import Classifier, ClassifierDown, load, preprocess, weights
from tasks.classifier.onnx import check_provider
from tasks.classifier.remote import RemoteClassifier
from tasks.heatmaps import activation_map
from tasks.images.decode import Limits, read
from tests.support.stack import wait_until

FIXTURES = Path(__file__).parents[1] / "fixtures"
MANIFEST: dict[str, Any] = json.loads((FIXTURES / "manifest.json").read_text())

NAMES = ("opennsfw2", "keras", "jax")


def needs_opennsfw2(test: Any) -> Any:
    """Marks what needs Keras, whose import alone takes ten seconds."""
    there = all(importlib.util.find_spec(name) for name in NAMES)
    skip = pytest.mark.skipif(not there, reason="the extra 'opennsfw2' is not installed")
    return pytest.mark.slow(skip(test))


def reference(name: str) -> list[float]:
    """What opennsfw2 gives for the upright picture, or for each frame."""
    facts = MANIFEST[name]
    upright = facts.get("opennsfw2_upright", facts.get("opennsfw2"))
    return facts.get("opennsfw2_by_frame") or [upright]


def verdict(score: float) -> str:
    return "rejected" if score >= 0.8 else "review" if score >= 0.2 else "approved"


def views(name: str) -> list[Image.Image]:
    return [frame.image for frame in read(FIXTURES / name, Limits()).views]


@pytest.fixture(scope="module")
def onnx() -> Classifier:
    return load("onnx")


@pytest.fixture(scope="module")
def opennsfw2() -> Classifier:
    return load("opennsfw2")


def assert_it_agrees(engine: Classifier, name: str) -> None:
    scores, wanted = engine.score(views(name)), reference(name)
    assert scores == pytest.approx(wanted, abs=0.01)
    assert [verdict(score) for score in scores] == [verdict(score) for score in wanted]


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_onnx_agrees_with_the_reference(onnx: Classifier, name: str) -> None:
    assert_it_agrees(onnx, name)


@needs_opennsfw2
@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_opennsfw2_agrees_with_the_reference(opennsfw2: Classifier, name: str) -> None:
    assert_it_agrees(opennsfw2, name)


@needs_opennsfw2
def test_preprocessing_is_opennsfw2s_to_the_bit() -> None:
    from opennsfw2 import Preprocessing, preprocess_image

    for name in ("reject_a.jpg", "safe_coffee_11mp.jpg", "reject_a_palette.png"):
        image = Image.open(FIXTURES / name)
        ours, theirs = preprocess(image), preprocess_image(image, Preprocessing.YAHOO)
        assert ours.dtype == theirs.dtype == np.float32
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["animated_bad_frame_17.gif", "animated_bad_frame_17.webp"])
def test_the_bad_frame_of_an_animation_is_found(onnx: Classifier, name: str) -> None:
    picture = read(FIXTURES / name, Limits())
    scores = onnx.score([frame.image for frame in picture.views])
    assert picture.views[int(np.argmax(scores))].index == 17


def test_no_images_no_scores(onnx: Classifier) -> None:
    assert onnx.score([]) == []


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(ValueError, match="onnx, opennsfw2, remote"):
        load("crystal-ball")


@pytest.fixture(params=["onnx", pytest.param("opennsfw2", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> str:
    """The name of each engine that reads a model's file."""
    if request.param == "opennsfw2":
        pytest.importorskip("keras")
    return request.param


def test_a_missing_model_is_down(engine: str, tmp_path: Path) -> None:
    with pytest.raises(ClassifierDown, match="is missing"):
        load(engine, model_path=tmp_path / "none.onnx").score(views("reject_a.jpg"))


def test_a_model_that_is_not_one_is_down(engine: str, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"no protobuf at all" * 100)
    with pytest.raises(ClassifierDown):
        load(engine, model_path=model).score(views("reject_a.jpg"))


def test_a_changed_model_is_down(tmp_path: Path) -> None:
    model, data = tmp_path / "model.onnx", bytearray(weights.find_model().read_bytes())
    Path(f"{model}.sha256").write_text(hashlib.sha256(data).hexdigest() + "  model.onnx\n")
    model.write_bytes(data)
    assert_it_agrees(load("onnx", model_path=model), "reject_a.jpg")
    data[1_000_000] ^= 1
    model.write_bytes(data)
    with pytest.raises(ClassifierDown, match="SHA-256"):
        load("onnx", model_path=model).score(views("reject_a.jpg"))


def test_a_provider_that_is_not_there_is_down() -> None:
    with pytest.raises(ClassifierDown, match="QuantumExecutionProvider"):
        load("onnx", providers=["Quantum"]).score(views("reject_a.jpg"))


def test_a_provider_that_cannot_be_started_is_not_replaced_in_silence() -> None:
    gpu, cpu = "CUDAExecutionProvider", "CPUExecutionProvider"
    check_provider(gpu, [gpu, cpu])
    with pytest.raises(ClassifierDown, match="cannot start it"):
        check_provider(gpu, [cpu])


@needs_opennsfw2
def test_missing_official_weights_are_down_and_not_downloaded(tmp_path: Path) -> None:
    engine = load("opennsfw2", weights_path=tmp_path / "none.h5")
    with pytest.raises(ClassifierDown, match="is missing"):
        engine.score(views("reject_a.jpg"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["reject_a.jpg", "review_b.jpg", "safe_astronaut.jpg"])
def test_the_heatmap_explains_the_score_exactly(onnx: Classifier, name: str) -> None:
    image = views(name)[0]
    heat = activation_map.heatmap(image)
    assert heat.shape == (7, 7)
    log_odds = np.log(heat.astype(np.float64) / (1 - heat.astype(np.float64)))
    if np.isfinite(log_odds).all():
        assert 1 / (1 + np.exp(-log_odds.mean())) == pytest.approx(onnx.score([image])[0], abs=0.01)


def test_the_heat_layer_is_opaque_where_it_is_hot() -> None:
    heat = np.zeros((7, 7), np.float32)
    heat[:, 5:] = 1
    layer = np.asarray(activation_map.layer(heat, (400, 300)))
    assert layer.shape == (300, 400, 4)
    assert layer[150, 330, 3] > 100
    assert layer[150, 60, 3] < 5


Answer = Callable[[BaseHTTPRequestHandler, list[Image.Image]], None]


class Detector(ThreadingHTTPServer):
    """A service like Sluice's `detect`; `answer` may be changed between requests."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.keys: list[str | None] = []
        self.sizes: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/moderation/detect"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Detector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
        images = [bytes(part.get_content()) for part in message.iter_parts()]
        self.server.keys.append(self.headers["Authorization"])
        self.server.sizes.append(len(images))
        self.server.answer(self, [Image.open(io.BytesIO(data)) for data in images])

    def log_message(self, *args: object) -> None:
        pass


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def detectors(onnx: Classifier) -> Iterator[Callable[..., Detector]]:
    """Starts detectors that score by the onnx engine, or answer as they are told."""
    started: list[Detector] = []

    def score(handler: BaseHTTPRequestHandler, images: list[Image.Image]) -> None:
        scores = [{"score": score} for score in onnx.score(images)]
        reply(handler, json.dumps(scores).encode())

    def start(answer: Answer = score) -> Detector:
        started.append(Detector(answer))
        threading.Thread(target=started[-1].serve_forever, args=(0.02,), daemon=True).start()
        return started[-1]

    yield start
    for detector in started:
        detector.shutdown()
        detector.server_close()


Start = Callable[..., Detector]


def test_remote_scores_as_the_service_does(detectors: Start) -> None:
    detector = detectors()
    engine = load("remote", url=detector.url, key="secret")
    assert_it_agrees(engine, "reject_a.jpg")
    assert_it_agrees(engine, "review_b.jpg")
    assert detector.keys == ["Bearer secret"] * 2


def test_remote_asks_for_five_at_a_time_in_order(detectors: Start) -> None:
    detector = detectors()
    assert_it_agrees(load("remote", url=detector.url), "animated_bad_frame_17.webp")
    assert detector.sizes == [5, 5, 5, 5, 4]
    assert detector.keys == [None] * 5


BAD_ANSWERS: dict[str, Answer] = {
    "error": lambda handler, _: reply(handler, b"", 500),
    "redirect": lambda handler, _: reply(handler, b"", 302),
    "garbage": lambda handler, _: reply(handler, b"<html>no</html>"),
    "object": lambda handler, _: reply(handler, b'{"score": 0.1}'),
    "too few": lambda handler, _: reply(handler, b"[]"),
    "not a number": lambda handler, _: reply(handler, b'[{"score": "0.1"}]'),
    "NaN": lambda handler, _: reply(handler, b'[{"score": NaN}]'),
    "true": lambda handler, _: reply(handler, b'[{"score": true}]'),
    "beyond 1": lambda handler, _: reply(handler, b'[{"score": 93}]'),
    "huge": lambda handler, _: reply(handler, b" " * 1_000_000),
    "deep": lambda handler, _: reply(handler, b"[" * 50_000),
    "hang": lambda handler, _: time.sleep(4),
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_a_service_that_fails_is_down_and_the_next_is_asked(detectors: Start, kind: str) -> None:
    bad = detectors(BAD_ANSWERS[kind])
    good = detectors(lambda handler, _: reply(handler, b'[{"score": 0.5}]'))
    image, patience = views("reject_a.jpg"), 1.5 if kind == "hang" else 30
    with pytest.raises(ClassifierDown, match="No remote classifier answers"):
        RemoteClassifier(bad.url, read_timeout=patience).score(image)
    engine = RemoteClassifier(f"{bad.url}, {good.url}", read_timeout=patience)
    asked = len(bad.keys)
    for _ in range(12):
        assert engine.score(image) == [0.5]
    assert len(bad.keys) - asked <= 3, "one that failed rests, longer each time"


@pytest.mark.slow
def test_three_services_share_the_work_and_one_that_dies_is_not_missed(detectors: Start) -> None:
    three = [detectors() for _ in range(3)]
    engine = RemoteClassifier(",".join(each.url for each in three), read_timeout=30)
    image, wanted = views("reject_a.jpg"), pytest.approx(reference("reject_a.jpg"), abs=0.01)
    for number in range(60):
        if number == 20:
            three[0].answer = lambda handler, _: handler.connection.shutdown(socket.SHUT_RDWR)
        assert engine.score(image) == wanted
    assert all(len(each.keys) >= 3 for each in three)
    assert len(three[1].keys) + len(three[2].keys) >= 40
    three[0].answer = three[1].answer  # it is back
    before = len(three[0].keys)

    def is_tried_again() -> bool:
        assert engine.score(image) == wanted
        return len(three[0].keys) >= before + 3

    wait_until(is_tried_again, 60)


def test_a_reply_that_drips_is_given_up(detectors: Start) -> None:
    def drip(handler: BaseHTTPRequestHandler, _: list[Image.Image]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        with contextlib.suppress(OSError):  # it ends only because the other end hangs up
            while True:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.1)

    with pytest.raises(ClassifierDown, match="too slow"):
        RemoteClassifier(detectors(drip).url, read_timeout=0.5).score(views("reject_a.jpg"))


def test_a_service_that_is_away_is_down() -> None:
    with pytest.raises(ClassifierDown, match=r"127\.0\.0\.1:9"):
        load("remote", url="http://127.0.0.1:9/detect").score(views("reject_a.jpg"))


def test_remote_needs_an_address() -> None:
    with pytest.raises(ClassifierDown):
        load("remote", url=" , ")
