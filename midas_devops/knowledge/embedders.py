"""Text → vectors, from what can be had here without a download.

``auto`` is MiniLM where its files are on this machine, else ``lexical``, which needs nothing.
"""

from __future__ import annotations

import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from midas_devops.domain.counting import number
from midas_devops.errors import ConfigError, MissingExtraError, ToolError
from midas_devops.knowledge.words import analysis, concepts, words

if TYPE_CHECKING:
    from langchain_openai import OpenAIEmbeddings

    from midas_devops.knowledge.minilm import MiniLm

Floats = npt.NDArray[np.float32]
_OPENAI = "openai:"
_GRAM_LETTERS = 4
_JOINERS = re.compile(r"[_\-/]+")
_SUFFIX = re.compile(r"\.(?:md|tf|ya?ml|log)\b")


class Embedder(Protocol):
    """Texts → unit vectors, one row each. ``identity`` names the space: vectors of two never mix.

    ``weight`` is what its ranking counts for beside that of BM25.
    """

    @property
    def identity(self) -> str:
        """Name and version, as ``minilm-l6-v2/1``."""
        ...

    @property
    def weight(self) -> float: ...

    def embed(self, texts: Sequence[str]) -> Floats: ...


def choose_embedder(name: str) -> Embedder:
    """The embedder that ``knowledge.embedder`` names.

    Raises ConfigError for an unknown name and MissingExtraError for one that is not on this machine.
    """
    from midas_devops.knowledge.minilm import find_model

    if name == "lexical":
        return LexicalEmbedder()
    if name.startswith(_OPENAI) and len(name) > len(_OPENAI):
        return OpenAIEmbedder(name.removeprefix(_OPENAI))
    if name not in ("auto", "minilm"):
        raise ConfigError(
            f"knowledge.embedder is '{name}', which is no embedder",
            hint="use auto, minilm, lexical or openai:MODEL",
            location="knowledge.embedder",
        )
    if find_model() is not None:
        return MiniLmEmbedder()
    if name == "auto":
        return LexicalEmbedder()
    raise MissingExtraError("knowledge.embedder = 'minilm'", "semantic")


class LexicalEmbedder:
    """Hashed words, synonym groups and pieces of words. No model, no state, the same on every machine.

    Feature hashing with signs (Weinberger et al., arXiv:0902.2206), sublinear term frequency, L2 norm.
    """

    weight = 0.02
    """It sees the words that BM25 sees, without their rarity, so it only settles what BM25 leaves open: ties,
    and words misspelt or cut short. Measured (benchmarks/retrieval.py): with more it does harm."""
    dimensions = 768
    _CONCEPT, _GRAM = 1.2, 0.35

    @property
    def identity(self) -> str:
        return f"lexical/{analysis()}"

    def embed(self, texts: Sequence[str]) -> Floats:
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            found = words(text)
            self._put(row, Counter(found), 1.0)
            self._put(row, Counter(concepts(found)), self._CONCEPT)
            for word, count in Counter(found).items():
                grams = _grams(word)
                if grams:
                    self._put(row, dict.fromkeys(grams, count), self._GRAM / math.sqrt(len(grams)))
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        # A text without a word still needs a direction: cosine distance knows no zero vector.
        rows[norms[:, 0] == 0, 0] = 1.0
        return (rows / np.where(norms == 0, 1.0, norms)).astype(np.float32)

    def _put(self, row: Floats, counts: dict[str, int], weight: float) -> None:
        for feature, count in counts.items():
            place, sign = _place(feature, self.dimensions)
            row[place] += sign * weight * (1.0 + math.log(count))


@lru_cache(maxsize=400_000)
def _place(feature: str, dimensions: int) -> tuple[int, float]:
    """Where a feature goes, and its sign. CRC-32 is fast and the same everywhere, unlike ``hash``."""
    number = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
    return (number >> 1) % dimensions, 1.0 if number & 1 else -1.0


@lru_cache(maxsize=100_000)
def _grams(word: str) -> tuple[str, ...]:
    framed = f"<{word}>"
    return tuple(f"#{framed[i : i + 4]}" for i in range(len(framed) - 3)) if len(word) > _GRAM_LETTERS else ()


class MiniLmEmbedder:
    """all-MiniLM-L6-v2, loaded at the first text."""

    identity = "minilm-l6-v2/1"
    weight = 1.0

    def __init__(self) -> None:
        self._model: MiniLm | None = None

    def embed(self, texts: Sequence[str]) -> Floats:
        from midas_devops.knowledge.minilm import MiniLm, find_model

        if self._model is None:
            folder = find_model()
            if folder is None:
                raise MissingExtraError("knowledge.embedder = 'minilm'", "semantic")
            self._model = MiniLm(folder)
        return self._model.embed([_readable(text) for text in texts])


def _readable(text: str) -> str:
    """Identifiers and paths as words, which is what a model of sentences knows."""
    return _JOINERS.sub(" ", _SUFFIX.sub("", text))


class OpenAIEmbedder:
    """Any endpoint that speaks OpenAI's embeddings API: OPENAI_API_KEY, and OPENAI_BASE_URL for another host.

    Raises ConfigError without a key, ToolError when the endpoint fails.
    """

    def __init__(self, model: str) -> None:
        if not os.environ.get("OPENAI_API_KEY"):
            raise ConfigError(
                f"knowledge.embedder = 'openai:{model}' needs a key, and OPENAI_API_KEY is not set",
                hint="set OPENAI_API_KEY (any text for an endpoint that asks for none) and OPENAI_BASE_URL",
                location="knowledge.embedder",
            )
        self._model = model
        self._client: OpenAIEmbeddings | None = None

    weight = 1.0

    @property
    def identity(self) -> str:
        return f"{_OPENAI}{self._model}/1"

    def embed(self, texts: Sequence[str]) -> Floats:
        from langchain_openai import OpenAIEmbeddings
        from openai import OpenAIError

        if self._client is None:
            # check_embedding_ctx_length sends token ids, which only OpenAI itself understands.
            self._client = OpenAIEmbeddings(model=self._model, check_embedding_ctx_length=False)
        try:
            rows = np.asarray(self._client.embed_documents([text or " " for text in texts]), np.float32)
        except OpenAIError as error:
            raise ToolError(
                f"Embedding {number(len(texts), 'text')} with {self._model} failed: {error}",
                hint="check OPENAI_BASE_URL and OPENAI_API_KEY, or set knowledge.embedder = 'lexical'",
                location="knowledge.embedder",
            ) from error
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / np.where(norms == 0, 1.0, norms)).astype(np.float32)
