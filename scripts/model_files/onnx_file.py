"""Writes a layers model as an ONNX file, with Python alone.

The `onnx` package is larger than Sluice, and these few messages of its protobuf schema are all that
is needed. Field numbers are those of onnx.proto3 (github.com/onnx/onnx). Operators are of opset 13.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.model_files.layers_model import Layer, folded

OPSET, IR_VERSION = 13, 8
INPUT, OUTPUT = "input", "scores"
_FLOAT = 1  # TensorProto.FLOAT
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7

Array = NDArray[np.float32]


class Graph:
    """The nodes and weights of an ONNX graph, as encoded messages."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.weights: list[bytes] = []

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add an operator; returns the name of its output."""
        message = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
        for name, value in attributes.items():
            message += _block(5, _attribute(name, value))
        self.nodes.append(message)
        return output

    def weight(self, name: str, values: Array) -> str:
        """Add a weight; returns its name."""
        dims = b"".join(_integer(1, size) for size in values.shape)
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        self.weights.append(dims + _integer(2, _FLOAT) + _text(8, name) + _block(9, raw))
        return name

    def file(self, given: Sequence[int], given_back: Sequence[int]) -> bytes:
        """The model file; ``given`` and ``given_back`` are the shapes without the batch."""
        graph = b"".join(_block(1, node) for node in self.nodes) + _text(2, "model")
        graph += b"".join(_block(5, weight) for weight in self.weights)
        graph += _block(11, _value(INPUT, given)) + _block(12, _value(OUTPUT, given_back))
        opset = _text(1, "") + _integer(2, OPSET)
        return _integer(1, IR_VERSION) + _text(2, "sluice") + _block(7, graph) + _block(8, opset)


def onnx_file(found: Sequence[Layer]) -> bytes:
    """A model with one picture input (height, width, channels) and a softmax at its end, as ONNX.

    Raises ValueError for a layer or a configuration that is not supported.
    """
    graph = Graph()
    names: dict[str, str] = {}  # the ONNX name of each layer's output
    shape: list[int] = []
    size, pads = 0, dict[str, list[int]]()
    for layer in folded(list(found)):
        if layer.kind == "InputLayer":
            shape = list(layer.config["batch_input_shape"][1:])
            names[layer.name] = graph.node(
                "Transpose", [INPUT], f"{layer.name}:0", perm=[0, 3, 1, 2]
            )
        elif layer.kind == "ZeroPadding2D":
            pads[layer.name] = _padding(layer)
            names[layer.name] = names[layer.inputs[0]]
        else:
            inputs = [names[each] for each in layer.inputs]
            pad = pads.get(layer.inputs[0], [0, 0, 0, 0])
            names[layer.name] = _add(graph, layer, inputs, pad)
            size = len(layer.weights["bias"]) if "bias" in layer.weights else size
    last = names[list(names)[-1]]
    graph.node("Identity", [last], OUTPUT)
    return graph.file(shape, [size])


def _add(graph: Graph, layer: Layer, inputs: list[str], pad: list[int]) -> str:
    output = f"{layer.name}:0"
    match layer.kind:
        case "Conv2D" | "DepthwiseConv2D":
            return _convolution(graph, layer, inputs, pad)
        case "ReLU":
            if layer.config.get("negative_slope") or layer.config.get("threshold"):
                raise ValueError(f"{layer.name}: only a plain ReLU is supported")
            bounds = [graph.weight(f"{layer.name}/low", np.zeros((), np.float32))]
            highest = np.float32(layer.config["max_value"] or np.inf)
            bounds.append(graph.weight(f"{layer.name}/high", np.array(highest)))
            return graph.node("Clip", [*inputs, *bounds], output)
        case "Add":
            return graph.node("Add", inputs, output)
        case "AveragePooling2D":
            its = layer.config
            if its["padding"] != "valid":
                raise ValueError(f"{layer.name}: only valid padding is supported")
            return graph.node(
                "AveragePool", inputs, output,
                kernel_shape=its["pool_size"], strides=its["strides"],
            )  # fmt: skip
        case "Flatten":
            # Channels last in Keras, first here: the orders are the same for one pixel alone.
            return graph.node("Flatten", inputs, output, axis=1)
        case "Dropout":
            return inputs[0]
        case "Dense":
            return _dense(graph, layer, inputs)
    raise ValueError(f"{layer.name}: layers of kind {layer.kind} are not supported")


def _convolution(graph: Graph, layer: Layer, inputs: list[str], pad: list[int]) -> str:
    its = layer.config
    is_depthwise = layer.kind == "DepthwiseConv2D"
    kernel = layer.weights["depthwise_kernel" if is_depthwise else "kernel"]
    if its["activation"] != "linear" or its.get("depth_multiplier", 1) != 1:
        raise ValueError(f"{its['name']}: an activation or a depth multiplier is not supported")
    if its["padding"] == "same":
        if any(pad) or list(its["strides"]) != [1, 1]:
            raise ValueError(f"{its['name']}: padding 'same' is supported for strides of 1 alone")
        pad = _same(kernel.shape[0], kernel.shape[1])
    # (height, width, in, out) or (height, width, channels, 1) to (out, in of a group, h, w)
    order = (2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)
    names = [
        graph.weight(f"{layer.name}/kernel", kernel.transpose(order)),
        graph.weight(f"{layer.name}/bias", layer.weights["bias"]),
    ]
    return graph.node(
        "Conv", [*inputs, *names], f"{layer.name}:0",
        kernel_shape=list(kernel.shape[:2]), strides=its["strides"], pads=pad,
        dilations=its["dilation_rate"], group=kernel.shape[2] if is_depthwise else 1,
    )  # fmt: skip


def _same(height: int, width: int) -> list[int]:
    """(top, left, bottom, right) for padding 'same' at strides of 1."""
    return [(height - 1) // 2, (width - 1) // 2, height // 2, width // 2]


def _padding(layer: Layer) -> list[int]:
    (top, bottom), (left, right) = layer.config["padding"]
    return [top, left, bottom, right]


def _dense(graph: Graph, layer: Layer, inputs: list[str]) -> str:
    names = [
        graph.weight(f"{layer.name}/{name}", layer.weights[name]) for name in ("kernel", "bias")
    ]
    sums = graph.node("Gemm", [*inputs, *names], f"{layer.name}:sums")
    match layer.config["activation"]:
        case "relu":
            return graph.node("Relu", [sums], f"{layer.name}:0")
        case "softmax":
            return graph.node("Softmax", [sums], f"{layer.name}:0", axis=1)
        case "linear":
            return sums
    raise ValueError(f"{layer.name}: the activation is not supported")


def _value(name: str, shape: Sequence[int]) -> bytes:
    batch = _block(1, _text(2, "batch"))
    dims = batch + b"".join(_block(1, _integer(1, size)) for size in shape)
    kind = _block(1, _integer(1, _FLOAT) + _block(2, dims))
    return _text(1, name) + _block(2, kind)


def _attribute(name: str, value: Any) -> bytes:
    message = _text(1, name)
    if isinstance(value, float):
        return message + _key(2, 5) + struct.pack("<f", value) + _integer(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return message + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)
    numbers = b"".join(_integer(8, number) for number in value)
    return message + numbers + _integer(20, _ATTRIBUTE_INTS)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _integer(number: int, value: int) -> bytes:
    return _key(number, 0) + _varint(value)


def _text(number: int, value: str) -> bytes:
    return _block(number, value.encode())


def _block(number: int, payload: bytes) -> bytes:
    return _key(number, 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
