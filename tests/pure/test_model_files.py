"""The detectors' model files: converted as an independent evaluation says, and pinned."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.settings import ROOT, Settings
from scripts.model_files.layers_model import layers
from scripts.model_files.onnx_file import onnx_file
from scripts.model_files.package_object import exported
from scripts.model_files.packages import FetchError, Pinned, member, npm_tarball
from tasks.classifier.onnx import open_session
from tasks.detectors import model_files, registry
from tasks.detectors.base import DetectorDown, DetectorError
from tasks.detectors.guard import Guard
from tasks.detectors.nsfw_mobilenet import LABELS, NsfwMobilenet, prepare
from tasks.detectors.toxicity import Toxicity
from tasks.images.decode import Limits, read
from tests.support.model_files import FOLDER, needs, settings

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Scores of the same inputs by TensorFlow.js 4.22 on its CPU backend, which is independent of this.
TENSORFLOW = json.loads((FIXTURES / "nsfw_mobilenet.json").read_text())
# Scores of `texts` by alt-profanity-check 1.9.1 itself: scripts/model_files/toxicity_arrays.py.
PACKAGE_SCORES = json.loads((FIXTURES / "toxicity_scores.json").read_text())


def texts(words: list[str]) -> list[str]:
    """A thousand texts of the model's words and of others, always the same."""
    draw = random.Random(7)
    odd = ["", " ", "a", "I", "ÉTÉ", "don't", "x_y", "naïve", "数字", "ß", "\n", "?!", "İ", "1st"]
    glue = [" ", "  ", ", ", "-", "_", ". ", "\n", "/"]
    made = []
    for _ in range(1000):
        parts = []
        for _ in range(draw.randrange(0, 25)):
            word = draw.choice(odd) if draw.random() < 0.2 else draw.choice(words)
            parts.append(draw.choice((word, word.upper(), word.title(), word + "zq")))
            parts.append(draw.choice(glue))
        made.append("".join(parts))
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@needs("nsfw_mobilenet.onnx")
@pytest.mark.parametrize("name", sorted(set(TENSORFLOW) - {"ramp"}))
def test_the_network_scores_as_in_tensorflow(home: Path, network: Any, name: str) -> None:
    file, _, frame = name.partition("#")
    view = read(FIXTURES / file, Limits()).views[int(frame)].image
    scores = {each.label: each.score for each in network.detect([view])}
    assert list(scores.values()) == pytest.approx(TENSORFLOW[name], abs=1e-4)
    assert tuple(scores) == LABELS


@needs("nsfw_mobilenet.onnx")
def test_an_input_that_stirs_every_layer_scores_as_in_tensorflow(network: Any) -> None:
    ramp = np.linspace(0, 1, 224 * 224 * 3, dtype=np.float32).reshape(1, 224, 224, 3)
    (scores,) = network._session.run(None, {"input": ramp})
    assert scores[0] == pytest.approx(TENSORFLOW["ramp"], abs=1e-4)


@pytest.fixture(scope="module")
def network(home: Path) -> NsfwMobilenet:
    return NsfwMobilenet(settings(home))


@needs("nsfw_mobilenet.onnx")
def test_of_several_views_the_worst_is_scored(network: Any) -> None:
    views = [
        read(FIXTURES / n, Limits()).views[0].image for n in ("safe_coffee.jpg", "review_c.jpg")
    ]
    alone = [{s.label: s.score for s in network.detect([view])} for view in views]
    both = list(network.detect(views))
    worst = min(range(2), key=lambda at: alone[at]["neutral"] + alone[at]["drawing"])
    assert {each.evidence["view"] for each in both} == {worst}
    assert {s.label: s.score for s in both} == pytest.approx(alone[worst], abs=1e-5)


@needs("nsfw_mobilenet.onnx")
def test_the_declared_labels_are_those_that_it_answers(home: Path) -> None:
    guard = Guard(registry.TABLE["nsfw_mobilenet"].declared, lambda: NsfwMobilenet(settings(home)))
    assert guard.warm_up() == ""
    assert {s.label for s in guard.detect([Image.new("RGB", (256, 256))]).scores} == set(LABELS)


def test_the_input_is_rgb_from_0_to_1() -> None:
    values = prepare(Image.new("RGB", (256, 256), (255, 128, 0)))
    assert (values.shape, values.dtype) == ((224, 224, 3), np.float32)
    assert values[100, 100] == pytest.approx([1.0, 128 / 255, 0.0])


@needs("toxicity.npy")
def test_a_thousand_texts_score_as_in_the_package(home: Path) -> None:
    model = Toxicity(settings(home))
    scores = [next(iter(model.detect(text))).score for text in texts(list(model._words))]
    assert scores == pytest.approx(PACKAGE_SCORES, abs=1e-6)
    assert len(scores) == 1000 and min(scores) < 0.05 and max(scores) > 0.95


@needs("toxicity.npy")
def test_the_evidence_names_the_words(home: Path) -> None:
    [score] = Toxicity(settings(home)).detect("You are an idiot, an IDIOT, dear neighbour")
    assert score.evidence["words"][0] == "idiot"


@needs("toxicity.npy")
@pytest.mark.parametrize("text", ["", "\0", "é" * 100_000, "a b " * 50_000, "\ud800", "😀" * 999])
def test_any_text_has_a_score(home: Path, text: str) -> None:
    [score] = Toxicity(settings(home)).detect(text)
    assert 0 <= score.score <= 1


@pytest.mark.parametrize("name", sorted(registry.TABLE))
def test_a_missing_file_says_what_to_run(tmp_path: Path, name: str) -> None:
    its = Settings.load({"SLUICE_HOME": str(tmp_path)})
    with pytest.raises(DetectorDown, match=f"is missing. Run scripts/vendor detectors {name}"):
        registry.TABLE[name].load(its)


@pytest.mark.parametrize("name", sorted(model_files.PINNED))
def test_a_file_of_another_version_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"another")
    with pytest.raises(DetectorDown, match="is damaged or of another version: its SHA-256 is"):
        model_files.read(tmp_path, name)


@needs("toxicity.npy")
@needs("nsfw_mobilenet.onnx")
def test_a_detector_says_what_it_takes(home: Path) -> None:
    for name, subject in (("toxicity", []), ("nsfw_mobilenet", "text")):
        with pytest.raises(DetectorError, match="takes"):
            list(registry.TABLE[name].load(settings(home)).detect(subject))


# A model of every supported kind of layer, evaluated by loops that share nothing with the
# converter.


def sample_model() -> tuple[dict[str, Any], bytes]:
    draw = np.random.default_rng(3)
    entries, blobs = [], []

    def weight(name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> None:
        scale = (high - low) / 255
        blobs.append(draw.integers(0, 256, shape).astype(np.uint8).tobytes())
        quantization = {"dtype": "uint8", "scale": scale, "min": low}
        entries.append({"name": name, "shape": list(shape), "dtype": "float32",
                        "quantization": quantization})  # fmt: skip

    def layer(kind: str, name: str, inputs: list[str], **config: Any) -> dict[str, Any]:
        nodes = [[[each, 0, 0, {}] for each in inputs]] if inputs else []
        return {"class_name": kind, "config": {"name": name, **config}, "inbound_nodes": nodes}

    def norm(name: str, size: int) -> None:
        weight(f"{name}/gamma", size, low=0.5, high=1.5)
        weight(f"{name}/beta", size)
        weight(f"{name}/moving_mean", size)
        weight(f"{name}/moving_variance", size, low=0.2, high=2.0)

    plain = {"activation": "linear", "dilation_rate": [1, 1]}
    found = [
        layer("InputLayer", "in", [], batch_input_shape=[None, 12, 12, 3]),
        layer("ZeroPadding2D", "pad", ["in"], padding=[[0, 1], [0, 1]]),
        layer("Conv2D", "conv", ["pad"], strides=[2, 2], padding="valid", **plain),
        layer("BatchNormalization", "bn", ["conv"], epsilon=0.001),
        layer("ReLU", "relu", ["bn"], max_value=6),
        layer("DepthwiseConv2D", "deep", ["relu"], strides=[1, 1], padding="same", **plain),
        layer("BatchNormalization", "deep_bn", ["deep"], epsilon=0.001),
        layer("Conv2D", "point", ["deep_bn"], strides=[1, 1], padding="same", **plain),
        layer("BatchNormalization", "point_bn", ["point"], epsilon=0.001),
        layer("Add", "add", ["relu", "point_bn"]),
        layer("AveragePooling2D", "pool", ["add"], pool_size=[6, 6], strides=[6, 6],
              padding="valid"),
        layer("Flatten", "flat", ["pool"]),
        layer("Dense", "hidden", ["flat"], activation="relu"),
        layer("Dropout", "drop", ["hidden"], rate=0.5),
        layer("Dense", "out", ["drop"], activation="softmax"),
    ]  # fmt: skip
    weight("conv/kernel", 3, 3, 3, 4)
    norm("bn", 4)
    weight("deep/depthwise_kernel", 3, 3, 4, 1)
    norm("deep_bn", 4)
    weight("point/kernel", 1, 1, 4, 4)
    norm("point_bn", 4)
    weight("hidden/kernel", 4, 6)
    weight("hidden/bias", 6)
    weight("out/kernel", 6, 3)
    weight("out/bias", 3)
    topology = {"model_config": {"class_name": "Model", "config": {"layers": found}}}
    return {"modelTopology": topology, "weightsManifest": [{"weights": entries}]}, b"".join(blobs)


def evaluated(model: dict[str, Any], binary: bytes, picture: np.ndarray) -> np.ndarray:
    """The sample model's scores for a picture (12, 12, 3), in float64."""
    w, at = {}, 0
    for entry in model["weightsManifest"][0]["weights"]:
        size, quantized = int(np.prod(entry["shape"])), entry["quantization"]
        raw = np.frombuffer(binary, np.uint8, size, at).astype(np.float64)
        w[entry["name"]] = (raw * quantized["scale"] + quantized["min"]).reshape(entry["shape"])
        at += size

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        spread = np.sqrt(w[f"{name}/moving_variance"] + 0.001)
        return (x - w[f"{name}/moving_mean"]) / spread * w[f"{name}/gamma"] + w[f"{name}/beta"]

    padded = np.zeros((13, 13, 3))
    padded[:12, :12] = picture
    first = np.zeros((6, 6, 4))
    for y, x, c in np.ndindex(6, 6, 4):
        first[y, x, c] = (
            padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] * w["conv/kernel"][..., c]
        ).sum()
    relu = norm(first, "bn").clip(0, 6)
    around = np.zeros((8, 8, 4))
    around[1:7, 1:7] = relu
    deep = np.zeros((6, 6, 4))
    for y, x, c in np.ndindex(6, 6, 4):
        deep[y, x, c] = (
            around[y : y + 3, x : x + 3, c] * w["deep/depthwise_kernel"][..., c, 0]
        ).sum()
    point = norm(norm(deep, "deep_bn") @ w["point/kernel"][0, 0], "point_bn")
    flat = (relu + point).mean(axis=(0, 1))
    hidden = (flat @ w["hidden/kernel"] + w["hidden/bias"]).clip(0)
    sums = np.exp(hidden @ w["out/kernel"] + w["out/bias"])
    return np.asarray(sums / sums.sum())


def test_a_converted_model_scores_as_loops_over_its_layers() -> None:
    model, binary = sample_model()
    session = open_session(onnx_file(layers(model, binary)), ("CPU",), 1)
    pictures = np.random.default_rng(4).random((5, 12, 12, 3)).astype(np.float32)
    (scores,) = session.run(None, {"input": pictures})
    for picture, score in zip(pictures, scores, strict=True):
        assert score == pytest.approx(evaluated(model, binary, picture), abs=1e-5)


def test_a_conversion_has_the_same_bytes_each_time() -> None:
    assert onnx_file(layers(*sample_model())) == onnx_file(layers(*sample_model()))


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("conv", {"activation": "relu"}, "conv: an activation"),
        ("conv", {"padding": "same"}, "conv: padding 'same' is supported for strides of 1"),
        ("relu", {"negative_slope": 0.1}, "relu: only a plain ReLU"),
        ("pool", {"padding": "same"}, "pool: only valid padding"),
        ("out", {"activation": "tanh"}, "out: the activation"),
    ],
)
def test_what_the_converter_cannot_do_is_named(name: str, changes: Any, says: str) -> None:
    model, binary = sample_model()
    for layer in model["modelTopology"]["model_config"]["config"]["layers"]:
        if layer["config"]["name"] == name:
            layer["config"] |= changes
    with pytest.raises(ValueError, match=says):
        onnx_file(layers(model, binary))


def test_weights_of_another_size_are_refused() -> None:
    model, binary = sample_model()
    for wrong in (binary + b"\0", binary[:-1]):
        with pytest.raises(ValueError, match="the weights"):
            layers(model, wrong)


def test_a_minified_export_is_read_without_running_it() -> None:
    text = 'e.exports={modelTopology:{a:!0,b:!1,c:.5,d:-.25,"e":"x:y,.5",f:[null,1e-7]}}},{}]);'
    assert exported(text, "{modelTopology") == {
        "modelTopology": {"a": True, "b": False, "c": 0.5, "d": -0.25, "e": "x:y,.5",
                          "f": [None, 1e-7]},
    }  # fmt: skip
    assert exported('module.exports="YkKN=="},{}', '"') == "YkKN=="
    with pytest.raises(ValueError, match="no export begins"):
        exported("module.exports=1", "{")


def tarball(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_package_with_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "package.tgz"
    path.write_bytes(tarball({"model.js": "x"}))
    with pytest.raises(FetchError, match=r"sample 1.0: the SHA-256 is .*, not the pinned 00"):
        npm_tarball(Pinned("sample", "1.0", "00"), path)


def test_a_registry_is_the_configured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:1/npm/")
    with pytest.raises(FetchError, match=r"http://127.0.0.1:1/npm/@a/b/-/b-1.0.tgz: "):
        npm_tarball(Pinned("@a/b", "1.0", "00"), None)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///etc")
    with pytest.raises(FetchError, match="must begin with https"):
        npm_tarball(Pinned("@a/b", "1.0", "00"), None)


def vendor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.model_files", *arguments]
    env = {"PATH": "/nowhere", "SLUICE_HOME": "/nowhere", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_each_mistake_at_the_command_is_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.tgz"
    other.write_bytes(b"other")
    for arguments, code, says in (
        (["nobody"], 2, "there is no model file for nobody; there are nsfw_mobilenet, toxicity"),
        (["--from", str(other)], 2, "--from is the package of one detector: name it"),
        (["toxicity", "--from", "/nowhere/x.whl"], 1, "vendor: /nowhere/x.whl: No such file"),
        (["nsfw_mobilenet", "--from", str(other)], 1, "vendor: nsfwjs 4.4.0: the SHA-256 is"),
    ):
        done = vendor("--into", str(tmp_path), *arguments)
        assert done.returncode == code and says in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [other]


@needs("nsfw_mobilenet.onnx")
def test_a_file_that_is_there_is_left_alone() -> None:
    done = vendor("nsfw_mobilenet", "--into", str(FOLDER))
    assert (done.returncode, "already in" in done.stdout) == (0, True)


def test_a_missing_member_is_named() -> None:
    assert member(tarball({"model.js": "x"}), "model.js") == "x"
    with pytest.raises(FetchError, match=r"no file other\.js"):
        member(tarball({"model.js": "x"}), "other.js")
