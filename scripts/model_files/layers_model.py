"""Reads a Keras layers model in the TensorFlow.js format: its layers in order, and their weights.

The format: ``modelTopology`` is Keras' JSON, ``weightsManifest`` lists the weights in the order of
the binary, each with its shape and, where it is quantized to bytes, its scale and minimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A layer: its Keras class, configuration, inputs by name, and weights by their last name."""

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    weights: Mapping[str, Array]


def layers(model: Mapping[str, Any], binary: bytes) -> list[Layer]:
    """The layers of a model; nested models are flattened. Raises ValueError for other input."""
    tensors = weights(model, binary)
    found: list[Layer] = []
    _walk(model["modelTopology"]["model_config"], (), tensors, found)
    used = {f"{layer.name}/{name}" for layer in found for name in layer.weights}
    if used != tensors.keys():
        raise ValueError(f"weights that no layer has: {sorted(tensors.keys() - used)[:3]}")
    return found


def _walk(
    model: Mapping[str, Any], given: tuple[str, ...], tensors: Mapping[str, Array],
    found: list[Layer],
) -> str:  # fmt: skip
    """Append the layers of a model whose inputs are ``given``; returns the name of its output."""
    config = model["config"]
    outputs: dict[str, str] = {}  # of nested models
    last = given[0] if given else ""
    for layer in config["layers"]:
        kind, its = layer["class_name"], layer["config"]
        name = its["name"]
        nodes = layer.get("inbound_nodes")
        if len(nodes or ()) > 1:
            raise ValueError(f"{name} is used twice")
        sources = [node[0] for node in nodes[0]] if nodes else [last] if last else []
        inputs = tuple(outputs.get(source, source) for source in sources)
        if kind == "InputLayer" and given:
            outputs[name] = given[0]
            continue
        if kind in ("Model", "Functional", "Sequential"):
            last = outputs[name] = _walk(layer, inputs, tensors, found)
            continue
        prefix = name + "/"
        own = {key.removeprefix(prefix): tensors[key] for key in tensors if key.startswith(prefix)}
        found.append(Layer(name, kind, its, inputs, own))
        last = name
    return last


def weights(model: Mapping[str, Any], binary: bytes) -> dict[str, Array]:
    """Every weight by its name, as float32. Raises ValueError if the sizes differ."""
    tensors, at = {}, 0
    for entry in (entry for group in model["weightsManifest"] for entry in group["weights"]):
        values, at = _values(entry, binary, at)
        tensors[entry["name"]] = values.reshape(entry["shape"])
    if at != len(binary):
        raise ValueError(f"the weights have {len(binary)} bytes, the manifest names {at}")
    return tensors


def _values(entry: Mapping[str, Any], binary: bytes, at: int) -> tuple[Array, int]:
    quantized = entry.get("quantization")
    kind = np.dtype(quantized["dtype"] if quantized else entry["dtype"]).newbyteorder("<")
    end = at + kind.itemsize * math.prod(entry["shape"])
    if end > len(binary):
        raise ValueError(f"the weights end inside {entry['name']}")
    raw = np.frombuffer(binary[at:end], kind)
    if not quantized:
        return raw.astype(np.float32), end
    # TensorFlow.js computes this in float32 too.
    return (raw * np.float32(quantized["scale"]) + np.float32(quantized["min"])).astype(
        np.float32
    ), end


def folded(found: list[Layer]) -> Iterator[Layer]:
    """The layers with each BatchNormalization folded into the convolution before it.

    A folded convolution has ``kernel`` (or ``depthwise_kernel``) and ``bias``, and keeps the name
    of its BatchNormalization. In float64, so that the order of operations does not matter.
    """
    at = 0
    while at < len(found):
        layer = found[at]
        after = found[at + 1] if at + 1 < len(found) else None
        if "Conv2D" in layer.kind and after and after.kind == "BatchNormalization":
            yield _fold(layer, after)
            at += 2
            continue
        if layer.kind == "BatchNormalization":
            raise ValueError(f"{layer.name} does not follow a convolution")
        yield layer
        at += 1


def _fold(convolution: Layer, norm: Layer) -> Layer:
    its = {name: values.astype(np.float64) for name, values in norm.weights.items()}
    factor = its["gamma"] / np.sqrt(its["moving_variance"] + norm.config["epsilon"])
    name = "depthwise_kernel" if convolution.kind == "DepthwiseConv2D" else "kernel"
    kernel = convolution.weights[name].astype(np.float64)
    by_channel = factor[:, None] if convolution.kind == "DepthwiseConv2D" else factor
    bias = convolution.weights.get("bias", np.zeros(1)) - its["moving_mean"]
    merged = {
        name: (kernel * by_channel).astype(np.float32),
        "bias": (bias * factor + its["beta"]).astype(np.float32),
    }
    return Layer(norm.name, convolution.kind, convolution.config, convolution.inputs, merged)
