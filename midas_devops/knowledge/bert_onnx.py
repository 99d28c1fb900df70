"""A BERT encoder as an ONNX model, from its weights: what PyTorch's exporter would be needed for otherwise.

Written as protocol buffers by hand (https://protobuf.dev/programming-guides/encoding; field numbers from
onnx.proto, https://github.com/onnx/onnx), since the package ``onnx`` would serve nothing else. Opset 17.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_OPSET, _IR_VERSION = 17, 8
_FLOAT, _INT64 = 1, 7
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7
_TYPES = {"float32": _FLOAT, "int64": _INT64}
_HEAD_WIDTH = 32
"""Of all MiniLM models with 384 dimensions."""
_EPSILON = 1e-12
INPUTS = ("input_ids", "attention_mask", "token_type_ids")

Attribute = int | float | list[int]
Tensors = Mapping[str, npt.NDArray[np.float32]]


def bert_onnx(tensors: Tensors) -> bytes:
    """The model with the inputs of ``INPUTS`` (batch, length) and the last hidden state as its only output.

    Raises KeyError when a weight is missing.
    """
    graph = _Graph(tensors)
    words = graph.node("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.node("Slice", graph.node("Shape", "input_ids"), graph.ints(1), graph.ints(2))
    places = graph.weight("embeddings.position_embeddings.weight")
    places = graph.node("Slice", places, graph.ints(0), length, graph.ints(0))
    types = graph.node("Gather", graph.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    x = graph.normalise(graph.node("Add", graph.node("Add", words, places), types), "embeddings")
    mask = graph.node("Unsqueeze", "attention_mask", graph.ints(1, 2))
    mask = graph.node("Cast", mask, to=_FLOAT)
    bias = graph.node("Mul", graph.node("Sub", graph.number(1.0), mask), graph.number(-1e9))
    layers = sum(name.endswith("attention.self.query.weight") for name in tensors)
    for number in range(layers):
        x = _layer(graph, x, bias, f"encoder.layer.{number}")
    return graph.model(x)


def _layer(graph: _Graph, x: str, bias: str, name: str) -> str:
    width = graph.width

    def heads(part: str, order: list[int]) -> str:
        dense = graph.dense(x, f"{name}.attention.self.{part}")
        shape = graph.ints(0, 0, width // _HEAD_WIDTH, _HEAD_WIDTH)
        return graph.node("Transpose", graph.node("Reshape", dense, shape), perm=order)

    scores = graph.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scores = graph.node("Mul", scores, graph.number(1 / math.sqrt(_HEAD_WIDTH)))
    shares = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
    mixed = graph.node(
        "Transpose", graph.node("MatMul", shares, heads("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3]
    )
    mixed = graph.dense(
        graph.node("Reshape", mixed, graph.ints(0, 0, width)), f"{name}.attention.output.dense"
    )
    x = graph.normalise(graph.node("Add", x, mixed), f"{name}.attention.output")
    inner = graph.dense(x, f"{name}.intermediate.dense")
    # GELU: x · (1 + erf(x / √2)) / 2
    erf = graph.node("Erf", graph.node("Div", inner, graph.number(math.sqrt(2))))
    inner = graph.node("Mul", inner, graph.node("Add", erf, graph.number(1.0)))
    inner = graph.node("Mul", inner, graph.number(0.5))
    return graph.normalise(graph.node("Add", x, graph.dense(inner, f"{name}.output.dense")), f"{name}.output")


class _Graph:
    """Nodes and constants in the order they are needed. Every method returns the name of a value."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._parts: list[bytes] = []
        self._count = 0
        self.width = tensors["embeddings.word_embeddings.weight"].shape[1]

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        name = self._name()
        body = b"".join(_text(1, value) for value in inputs) + _text(2, name) + _text(4, operator)
        body += b"".join(_bytes(5, _attribute(key, value)) for key, value in attributes.items())
        self._parts.append(_bytes(1, body))
        return name

    def dense(self, x: str, name: str) -> str:
        matrix = self._constant(np.ascontiguousarray(self._tensors[f"{name}.weight"].T))
        return self.node("Add", self.node("MatMul", x, matrix), self.weight(f"{name}.bias"))

    def normalise(self, x: str, name: str) -> str:
        scale, shift = (self.weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=_EPSILON)

    def weight(self, name: str) -> str:
        return self._constant(self._tensors[name])

    def ints(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def model(self, result: str) -> bytes:
        self._parts.append(_text(2, "encoder"))
        self._parts += [_bytes(11, _described(name, _INT64)) for name in INPUTS]
        self._parts.append(_bytes(12, _described(result, _FLOAT)))
        opset = _bytes(8, _number(2, _OPSET))
        return _number(1, _IR_VERSION) + opset + _bytes(7, b"".join(self._parts))

    def _constant(self, values: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> str:
        name = self._name()
        body = b"".join(_number(1, size) for size in values.shape)
        body += _number(2, _TYPES[values.dtype.name]) + _text(8, name) + _bytes(9, values.tobytes())
        self._parts.append(_bytes(5, body))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _described(name: str, element: int) -> bytes:
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, element)))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, list):
        ints = b"".join(_number(8, item) for item in value)
        return _text(1, name) + ints + _number(20, _ATTRIBUTE_INTS)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    return _text(1, name) + b"\x15" + np.float32(value).tobytes() + _number(20, _ATTRIBUTE_FLOAT)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
