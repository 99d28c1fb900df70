"""What else puts a log into a token budget: its end, its two ends, a grep for errors, drain3's templates.

A method takes a file and a budget, and gives the text and the numbers of the lines that it shows.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from midas_devops.context.condense import condense_file
from midas_devops.context.reading import decode, wide_encoding
from midas_devops.context.signals import clean
from midas_devops.context.tokens import count

Method = Callable[[Path, int], tuple[str, set[int]]]
_LONGEST = 4000
_GREP = re.compile(r"(?i)error|fail|fatal|exception")


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    wide = wide_encoding(raw[:4096])
    text = raw.decode("utf-16") if wide else decode(raw)
    return [clean(line) for line in text.split("\n")]


def _take(lines: list[str], order: list[int], budget: int) -> tuple[str, set[int]]:
    kept: list[int] = []
    used = 0
    for index in order:
        tokens = count(lines[index][:_LONGEST] + "\n")
        if used + tokens > budget:
            break
        used += tokens
        kept.append(index)
    return "\n".join(lines[i] for i in sorted(kept)), {i + 1 for i in kept}


def tail(path: Path, budget: int) -> tuple[str, set[int]]:
    lines = _lines(path)
    return _take(lines, list(range(len(lines) - 1, -1, -1)), budget)


def head_and_tail(path: Path, budget: int) -> tuple[str, set[int]]:
    lines = _lines(path)
    first_text, first = _take(lines, list(range(len(lines))), budget // 2)
    last_text, last = _take(lines, list(range(len(lines) - 1, -1, -1)), budget // 2)
    return first_text + "\n" + last_text, first | last


def grep(path: Path, budget: int) -> tuple[str, set[int]]:
    lines = _lines(path)
    return _take(lines, [i for i, line in enumerate(lines) if _GREP.search(line)], budget)


def drained(path: Path, budget: int) -> tuple[str, set[int]]:
    """A line for each template that drain3 mines: first those with the words of errors, the rarest first."""
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig

    logging.getLogger("drain3").setLevel(logging.ERROR)
    miner = TemplateMiner(config=TemplateMinerConfig())
    lines = _lines(path)
    first: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for index, line in enumerate(lines):
        found = miner.add_log_message(line[:_LONGEST])
        first.setdefault(found["cluster_id"], index)
        sizes[found["cluster_id"]] = found["cluster_size"]
    ranked = sorted(first, key=lambda one: (not _GREP.search(lines[first[one]]), sizes[one], -first[one]))
    return _take(lines, [first[one] for one in ranked], budget)


def condensed(path: Path, budget: int) -> tuple[str, set[int]]:
    result = condense_file(path, budget)
    if result.tokens > budget or count(result.text) != result.tokens:
        raise SystemExit(f"{path}: {result.tokens} tokens for a budget of {budget}")
    return result.text, {n for span in result.spans for n in range(span.first_line, span.last_line + 1)}


def methods() -> dict[str, Method]:
    """All of them. drain3 pins an old jsonpickle: ``pip install --target DIR drain3``, MIDAS_DRAIN3=DIR."""
    known: dict[str, Method] = {"tail": tail, "head+tail": head_and_tail, "grep for errors": grep}
    if folder := os.environ.get("MIDAS_DRAIN3"):
        sys.path.insert(0, folder)
    if find_spec("drain3"):
        known["drain3 templates"] = drained
    return {**known, "condense": condensed}
