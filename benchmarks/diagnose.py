"""Is the right line named first, and the right category? Against the last and the first "error" of a log.

python -m benchmarks.diagnose             all labelled sets
python -m benchmarks.diagnose --misses    what was not found
python -m benchmarks.diagnose --speed     MB/s and peak memory on a long log and on one long line
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.labelled_logs.load import long_log, short_logs
from benchmarks.timing import table
from midas_devops.domain.evidence import Diagnosis
from midas_devops.knowledge.diagnose import diagnose_file
from midas_devops.knowledge.structure.generic import category_of_words

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "tests" / "fixtures" / "diagnose"
NEAR = 2
LONGEST = 20
_ERROR = re.compile(r"error|fail|fatal|exception", re.IGNORECASE)


@dataclass(frozen=True)
class Labelled:
    """A log and what a good diagnosis says. ``line`` 0: nothing failed, or the log does not say what."""

    name: str
    path: Path
    line: int
    as_good: tuple[int, ...]
    category: str = ""
    as_good_categories: tuple[str, ...] = ()

    def at(self, first: int, last: int) -> bool:
        """Whether a span of these lines names the failing line."""
        if last - first >= LONGEST:
            return False
        return any(first - NEAR <= line <= last + NEAR for line in (self.line, *self.as_good))


@dataclass(frozen=True)
class Answer:
    """Spans, best first, and a category."""

    spans: tuple[tuple[int, int], ...]
    category: str
    conclusive: bool


def scenarios(half: str = "") -> list[Labelled]:
    """The project's own scenarios, each a folder."""
    found = []
    for folder in sorted(SCENARIOS.iterdir()):
        expected = tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8"))
        if half in ("", expected["half"]):
            found.append(
                Labelled(
                    folder.name,
                    folder / "log.txt",
                    expected["line"],
                    tuple(expected["as_good"]),
                    expected["category"],
                    tuple(expected["as_good_categories"]),
                )
            )
    return found


def corpus() -> list[Labelled]:
    """Real logs with ``labels.json``, where there are some: ``MIDAS_CORPUS``, or beside the project."""
    folder = Path(os.environ.get("MIDAS_CORPUS", str(ROOT.parent / "shared" / "corpus"))) / "ci_logs"
    if not (folder / "labels.json").is_file():
        return []
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [
        Labelled(
            name,
            folder / f"{name}.log",
            label["line"],
            tuple(label["also"]["lines"]),
            label["category"],
            tuple(label["also"]["categories"]),
        )
        for name, label in labels.items()
    ]


def ours(log: Labelled) -> Answer:
    found: Diagnosis = diagnose_file(log.path)
    spans = tuple((span.first_line, span.last_line) for span in found.spans)
    return Answer(spans, found.category, found.verdict == "conclusive")


def _errors(log: Labelled) -> list[tuple[int, str]]:
    lines = log.path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [(number, text) for number, text in enumerate(lines, 1) if _ERROR.search(text)]


def _by_words(lines: Iterable[tuple[int, str]]) -> Answer:
    chosen = list(lines)[:3]
    category = category_of_words(chosen[0][1])[0] if chosen else "unknown"
    return Answer(tuple((number, number) for number, _ in chosen), category, bool(chosen))


def last_error(log: Labelled) -> Answer:
    return _by_words(reversed(_errors(log)))


def first_error(log: Labelled) -> Answer:
    return _by_words(_errors(log))


HALVES = {
    "tuned": "own scenarios, tuned on",
    "held_out": "own scenarios, held out at first",
    "fresh": "own scenarios, written after the first two",
    "last": "own scenarios, written last",
}
METHODS: dict[str, Callable[[Labelled], Answer]] = {
    "midas-devops": ours,
    "last error": last_error,
    "first error": first_error,
}


def score(
    logs: list[Labelled], method: Callable[[Labelled], Answer]
) -> tuple[float, float, float, list[str]]:
    """Shares of: right line first, right line among the first three, right category; and what was missed."""
    first = three = category = 0
    misses = []
    for log in logs:
        answer = method(log)
        if log.line:
            hits = [log.at(*span) for span in answer.spans[:3]]
            top, any_of = bool(hits and hits[0]), any(hits)
        else:
            top = any_of = not answer.conclusive
        named = answer.category in (log.category, *log.as_good_categories) or not log.category
        first, three, category = first + top, three + any_of, category + named
        if not (top and named):
            misses.append(f"{log.name}: {answer.category} {answer.spans}, wanted {log.category} {log.line}")
    total = len(logs)
    return first / total, three / total, category / total, misses


def compare(title: str, logs: list[Labelled], *, show_misses: bool) -> None:
    """One table over all methods."""
    rows: list[tuple[str, ...]] = []
    missed: dict[str, list[str]] = {}
    for name, method in METHODS.items():
        first, three, category, misses = score(logs, method)
        named = f"{category:.0%}" if logs[0].category else "–"
        rows.append((name, f"{first:.0%}", f"{three:.0%}", named))
        missed.update({name: misses})
    table(
        f"{title} ({len(logs)} logs)",
        ("method", "right line first", "in the first 3", "right category"),
        rows,
    )
    if show_misses:
        print("\n".join(missed["midas-devops"]))


def lines_only(folder: Path) -> list[Labelled]:
    """The logs that condensing is measured on: they have lines, and no category."""
    found = []
    for log in short_logs():
        path = folder / f"{log.name}.log"
        path.write_bytes(log.raw)
        found.append(Labelled(log.name, path, log.line, log.also))
    return found


def calibration(logs: list[Labelled]) -> None:
    """How often the category was right where the diagnosis said how sure it is."""
    by_confidence: dict[float, list[bool]] = {}
    for log in logs:
        found = diagnose_file(log.path)
        if found.verdict == "conclusive":
            right = found.category in (log.category, *log.as_good_categories)
            by_confidence.setdefault(found.confidence, []).append(right)
    rows = [
        (f"{confidence:.2f}", str(len(right)), f"{sum(right) / len(right):.0%}")
        for confidence, right in sorted(by_confidence.items())
    ]
    table("Confidence, scenarios and corpus", ("confidence", "logs", "right category"), rows)


def speed(megabytes: int) -> None:
    """Each size in a process of its own, so that its peak memory is its own."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        logs = {
            f"service log, {megabytes} MB": long_log("service", megabytes, 400, seed=3).raw,
            f"compiler log, {megabytes} MB": long_log("compiler", megabytes, 250, seed=3).raw,
            "one line, 50 MB": b"data " * 10_000_000 + b"\nError: unexpected end of input\n",
        }
        for name, raw in logs.items():
            path = Path(folder) / "log"
            path.write_bytes(raw)
            told = subprocess.run(
                [sys.executable, "-m", "benchmarks.diagnose", "--measure", str(path)],
                capture_output=True, text=True, check=True, cwd=ROOT,
            ).stdout.split()  # fmt: skip
            rows.append((name, f"{len(raw) / 1e6 / float(told[0]):.1f}", f"{float(told[1]):.0f}"))
    table("Speed and memory", ("log", "MB/s", "peak MB"), rows)


def measure(path: Path) -> None:
    """Seconds and peak resident megabytes of one diagnosis in this process (Linux)."""
    begun = time.perf_counter()
    diagnose_file(path)
    seconds = time.perf_counter() - begun
    # The kernel's own high-water mark: what getrusage says outlives exec, and would be our parent's.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
    print(seconds, peak)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--measure", type=Path)
    options, _ = parser.parse_known_args()
    if options.measure:
        measure(options.measure)
        return
    if options.speed:
        speed(options.megabytes)
        return
    for half, title in HALVES.items():
        compare(title, scenarios(half), show_misses=options.misses)
    with tempfile.TemporaryDirectory() as folder:
        compare("condensing's logs", lines_only(Path(folder)), show_misses=options.misses)
    if real := corpus():
        compare("corpus of real logs", real, show_misses=options.misses)
    calibration(scenarios() + real)


if __name__ == "__main__":
    main()
