"""Is the right line named first, and the right category? Against the last and the first "error" of a log.

python -m benchmarks.diagnose             all labelled sets
python -m benchmarks.diagnose --misses    what was not found
python -m benchmarks.diagnose --speed     MB/s and peak memory on a long log and on one long line
"""

from __future__ import annotations

import argparse
import itertools
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
from importlib.util import find_spec
from pathlib import Path

from benchmarks import held_out_sets
from benchmarks.labelled_logs.load import long_log, short_logs
from benchmarks.timing import table
from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
from midas_devops.domain.evidence import Diagnosis
from midas_devops.knowledge.diagnose import diagnose_file, diagnose_lines
from midas_devops.knowledge.lessons import learn_from, question
from midas_devops.knowledge.minilm import PACKAGE
from midas_devops.knowledge.structure.generic import category_of_words
from midas_devops.ports.knowledge import Incident

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


def held_out(name: str) -> list[Labelled]:
    """A held-out set as the other sets are."""
    return [
        Labelled(log.name, log.path, log.line, log.as_good, log.category, log.as_good_categories)
        for log in held_out_sets.logs(name)
    ]


def error_messages(show_misses: bool) -> None:
    """Right category of a message that stands alone, against its words alone."""
    rows = []
    for name in held_out_sets.MESSAGE_SETS:
        asked = held_out_sets.messages(name)
        found = [(one, diagnose_lines([one.text]).category) for one in asked]
        right = sum(category in one.categories for one, category in found)
        words = sum(category_of_words(one.text)[0] in one.categories for one in asked)
        rows.append((name, str(len(asked)), f"{right / len(asked):.0%}", f"{words / len(asked):.0%}"))
        if show_misses:
            missed = [f"{found}: {one.text}" for one, found in found if found not in one.categories]
            print("\n".join(missed))
    table("error messages alone: right category", ("set", "messages", "midas-devops", "by words"), rows)


BINS = (0.0, 0.5, 0.7, 0.85, 0.93, 1.01)
Judged = tuple[float, bool]


def judged_logs(logs: list[Labelled]) -> list[Judged]:
    """(stated confidence, right category) of every conclusive diagnosis."""
    found = [(log, diagnose_file(log.path)) for log in logs]
    return [
        (said.confidence, said.category in (log.category, *log.as_good_categories))
        for log, said in found
        if said.verdict == "conclusive"
    ]


def judged_messages(name: str) -> list[Judged]:
    """The same, of the messages of a held-out set."""
    found = [(one, diagnose_lines([one.text])) for one in held_out_sets.messages(name)]
    return [
        (said.confidence, said.category in one.categories)
        for one, said in found
        if said.verdict == "conclusive"
    ]


def calibration(title: str, judged: list[Judged]) -> None:
    """Stated confidence against the share that was right, by bins, and the expected calibration error."""
    rows = []
    error = 0.0
    for low, high in itertools.pairwise(BINS):
        here = [(said, right) for said, right in judged if low <= said < high]
        if not here:
            continue
        said = sum(one for one, _ in here) / len(here)
        right = sum(one for _, one in here) / len(here)
        error += abs(said - right) * len(here) / len(judged)
        rows.append((f"{low:.2f}–{min(high, 1):.2f}", str(len(here)), f"{said:.2f}", f"{right:.2f}"))
    rows.append(("expected calibration error", str(len(judged)), f"{error:.3f}", ""))
    table(title, ("confidence", "diagnoses", "stated", "right"), rows)


def past_incidents() -> None:
    """Failures that come again in other words, among as many other incidents: found, and used."""
    told = held_out_sets.incidents()
    others = held_out_sets.messages("third")
    rows = []
    for embedder in ("lexical", *(["minilm"] if find_spec(PACKAGE) else [])):
        with tempfile.TemporaryDirectory() as folder:
            base = ChromaKnowledge(Path(folder), Knowledge(embedder=embedder), redact=str)
            for number, one in enumerate(told):
                base.add_incident(_incident(f"told-{number}", one.first, one.category))
            for number, other in enumerate(others):
                base.add_incident(_incident(f"other-{number}", other.text, other.categories[0]))
            found = used = wrong = 0
            for number, one in enumerate(told):
                said = diagnose_lines([one.again])
                hits = base.search(question(said) or one.again, 3, kinds=("incident",))
                source = f"incident:told-{number}"
                found += any(hit.source == source for hit in hits)
                learned = [name for name in learn_from(said, hits).sources if name.startswith("incident:")]
                used += source in learned
                wrong += bool(learned) and source not in learned
            base.close()
        n = len(told)
        rows.append((embedder, f"{found / n:.0%}", f"{used / n:.0%}", f"{wrong / n:.0%}"))
    title = f"{len(told)} failures told again in other words, among {len(told) + len(others)} incidents"
    table(title, ("embedder", "found in the first 3", "changed the diagnosis", "a wrong one did"), rows)


def _incident(run: str, error: str, category: str) -> Incident:
    return Incident(
        run_id=run, environment="production", error=error, category=category, cause="",
        remedy="see the runbook", outcome="rolled_back",
    )  # fmt: skip


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
    for name in held_out_sets.LOG_SETS:
        compare(f"held out, {name} set", held_out(name), show_misses=options.misses)
    error_messages(options.misses)
    calibration("confidence, on what was tuned on", judged_logs(scenarios() + real + held_out("first")))
    fresh = judged_logs(held_out("second")) + judged_messages("fourth")
    calibration("confidence, on the held-out sets", fresh)
    past_incidents()


if __name__ == "__main__":
    main()
