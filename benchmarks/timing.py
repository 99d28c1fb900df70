"""Timing by ratio: two things in turn, pair by pair, so that a drifting machine moves both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def pairs(
    ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int
) -> tuple[float, float, float]:
    """Median seconds of ours, of theirs, and the median of the pairwise ratios."""
    a, b = [], []
    for _ in range(rounds):
        a.append(seconds(ours))
        b.append(seconds(theirs))
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    return statistics.median(a), statistics.median(b), statistics.median(ratios)


def command(*argv: str, **options: object) -> None:
    """Run a command to its end; a failure raises with its output."""
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if ended.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(argv)} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}")


def python(*arguments: str, **options: object) -> None:
    """Run this interpreter."""
    command(sys.executable, *arguments, **options)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()
