"""BM25 over the chunks, kept on disk beside the vectors and read by mapping it.

The rows (ids, labels, words) are a copy of what the store holds. ``generation`` says of which state; whoever
finds it out of date brings the rows up to date by their ids and builds the index anew from the kept words.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from midas_devops.knowledge.words import alternatives, analysis, terms

if TYPE_CHECKING:
    from bm25s import BM25  # type: ignore[import-untyped]

Mask = npt.NDArray[np.bool_]
FORMAT = 3
_POINTER = "current"


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of a chunk for filtering and for adding: never its text."""

    id: str
    source: str
    file: str
    """Hash of the whole source, the same for all its chunks."""
    parts: int
    """How many chunks the source has; fewer rows than that: an add was interrupted."""
    kind: str
    environment: str
    provider: str


@dataclass
class LexicalIndex:
    """BM25 (Lucene's form, k1 1.5, b 0.75) over rows. It does not change: ``updated`` gives another one."""

    generation: str = ""
    rows: list[Row] = field(default_factory=list)
    _vocabulary: dict[str, int] = field(default_factory=dict)
    _words: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    _offsets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    _bm25: BM25 | None = None

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """The index as last saved; an empty one when there is none, or none that can be read.

        It is a copy and can always be built again, so a damaged one is no error.
        """
        try:
            current = folder / (folder / _POINTER).read_text("utf-8").strip()
            state = json.loads((current / "rows.json").read_text("utf-8"))
            if (state["format"], state["analysis"]) != (FORMAT, analysis()):
                return cls()
            index = cls(
                generation=state["generation"],
                rows=[Row(*values) for values in zip(*state["columns"], strict=True)],
                _vocabulary=state["vocabulary"],
                _words=np.load(current / "words.npy", mmap_mode="r"),
                _offsets=np.load(current / "offsets.npy"),
            )
            if index._vocabulary and index.rows:
                from bm25s import BM25

                index._bm25 = BM25.load(str(current / "bm25"), mmap=True, show_progress=False)
        except (OSError, ValueError, KeyError, TypeError):
            return cls()
        return index

    def save(self, folder: Path) -> None:
        """Write beside the old one, then switch: a reader sees one or the other. Callers hold the lock."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = folder / uuid.uuid4().hex
        new.mkdir(mode=0o700)
        columns = [list(column) for column in zip(*(_values(row) for row in self.rows), strict=True)]
        state = {
            "format": FORMAT,
            "analysis": analysis(),
            "generation": self.generation,
            "columns": columns or [[]] * len(Row.__slots__),
            "vocabulary": self._vocabulary,
        }
        (new / "rows.json").write_text(json.dumps(state), "utf-8")
        np.save(new / "words.npy", self._words)
        np.save(new / "offsets.npy", self._offsets)
        if self._bm25 is not None:
            self._bm25.save(str(new / "bm25"), show_progress=False)
        pointer = folder / f"{_POINTER}.{new.name}"
        pointer.write_text(new.name, "utf-8")
        os.replace(pointer, folder / _POINTER)  # noqa: PTH105  says that it is atomic
        for old in folder.iterdir():
            if old.is_dir() and old != new:
                shutil.rmtree(old, ignore_errors=True)

    def updated(self, generation: str, rows: Iterable[Row], texts: Mapping[str, str]) -> LexicalIndex:
        """The index over ``rows``: ``texts`` holds the text of each id that is new here."""
        vocabulary = dict(self._vocabulary)
        kept = sorted(rows, key=lambda row: row.id)
        documents: list[npt.NDArray[np.int32]] = []
        for row in kept:
            known = self.place.get(row.id)
            if row.id in texts or known is None:
                found = terms(texts[row.id])
                ids = [vocabulary.setdefault(word, len(vocabulary)) for word in found]
                documents.append(np.asarray(ids, np.int32))
            else:
                documents.append(self._words[self._offsets[known] : self._offsets[known + 1]])
        flat = np.concatenate(documents) if documents else np.zeros(0, np.int32)
        # Words that no chunk holds any more would pile up over the years.
        used, renumbered = np.unique(flat, return_inverse=True)
        names = list(vocabulary)
        index = LexicalIndex(
            generation=generation,
            rows=kept,
            _vocabulary={names[old]: new for new, old in enumerate(used.tolist())},
            _words=renumbered.astype(np.int32).reshape(-1),
            _offsets=np.cumsum([0, *map(len, documents)], dtype=np.int64),
        )
        index._build()
        return index

    def _build(self) -> None:
        """What ``BM25.index`` does, in whole arrays: its loops take ten times as long, at every change."""
        if not self._vocabulary:
            return
        from bm25s import BM25

        bm25 = BM25()
        count, lengths = len(self.rows), np.diff(self._offsets)
        documents = np.repeat(np.arange(count), lengths)
        pairs, times = np.unique(self._words.astype(np.int64) * count + documents, return_counts=True)
        word, document = np.divmod(pairs, count)
        holding = np.bincount(word, minlength=len(self._vocabulary))
        rarity = np.log(1 + (count - holding + 0.5) / (holding + 0.5))
        norm = bm25.k1 * (1 - bm25.b + bm25.b * lengths / lengths.mean())
        bm25.scores = {
            "data": (rarity[word] * times / (times + norm[document])).astype(np.float32),
            "indices": document.astype(np.int32),
            "indptr": np.concatenate([[0], np.cumsum(holding)]),
            "num_docs": count,
        }
        bm25.nonoccurrence_array = None
        bm25.vocab_dict = dict(self._vocabulary)
        bm25.unique_token_ids_set = set(self._vocabulary.values())
        self._bm25 = bm25

    def search(self, query: str, limit: int, allowed: Mask | None = None) -> list[str]:
        """Ids, best first; equal scores by id. ``allowed`` masks rows. Nothing in common: not in the list."""
        scores = self._scores(query)
        if scores is None:
            return []
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        limit = min(limit, int(np.count_nonzero(scores > 0)))
        if limit == 0:
            return []
        # Rows are sorted by id, so a stable sort settles ties; all that is level with the last takes part.
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        best = np.flatnonzero(scores >= least)
        order = best[np.argsort(-scores[best], kind="stable")][:limit]
        return [self.rows[number].id for number in order.tolist()]

    def _scores(self, query: str) -> npt.NDArray[np.float32] | None:
        """Of every row: for each word of the query what BM25 gives the best of those that stand for it."""
        wanted = Counter(
            tuple((self._vocabulary[term], weight) for term, weight in listed if term in self._vocabulary)
            for listed in alternatives(query)
        )
        del wanted[()]
        if self._bm25 is None or not wanted:
            return None
        values, rows, starts = (self._bm25.scores[name] for name in ("data", "indices", "indptr"))
        scores, best = np.zeros((2, len(self.rows)), np.float32)
        for listed, times in wanted.items():
            best.fill(0.0)
            for term, weight in listed:
                holds = slice(starts[term], starts[term + 1])
                held = rows[holds]
                best[held] = np.maximum(best[held], times * weight * values[holds])
            scores += best
        return scores

    @cached_property
    def place(self) -> dict[str, int]:
        """The number of each row, by its id."""
        return {row.id: number for number, row in enumerate(self.rows)}

    def allowed(self, kinds: Collection[str], environment: str, provider: str) -> Mask | None:
        """Which rows are of these kinds and do not belong to another environment or provider; None: all."""
        if not (kinds or environment or provider):
            return None
        mask = np.ones(len(self.rows), np.bool_)
        for column, values in (
            ("kind", kinds),
            ("environment", ("", environment) if environment else ()),
            ("provider", ("", provider) if provider else ()),
        ):
            if values:
                chosen = [
                    self._labelled[column][value] for value in values if value in self._labelled[column]
                ]
                mask &= np.logical_or.reduce(chosen) if chosen else False
        return mask

    @cached_property
    def _labelled(self) -> dict[str, dict[str, Mask]]:
        columns: dict[str, dict[str, Mask]] = {"kind": {}, "environment": {}, "provider": {}}
        for number, row in enumerate(self.rows):
            for column, masks in columns.items():
                value = getattr(row, column)
                if value not in masks:
                    masks[value] = np.zeros(len(self.rows), np.bool_)
                masks[value][number] = True
        return columns

    def sources(self) -> dict[str, list[Row]]:
        """The rows of each source."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.source, []).append(row)
        return found


def _values(row: Row) -> tuple[str | int, ...]:
    return row.id, row.source, row.file, row.parts, row.kind, row.environment, row.provider
