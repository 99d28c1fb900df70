"""Is the failing line kept? Condensing against its peers; tokens of a failing run; speed against tiktoken.

python -m benchmarks.condense            every table
python -m benchmarks.condense --misses   what was not kept, at 500 tokens
python -m benchmarks.condense --memory LOG
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from benchmarks import held_out_sets
from benchmarks.labelled_logs.load import Labelled, Long, long_log, short_logs
from benchmarks.log_peers import methods
from benchmarks.timing import table
from midas_devops.context.condense import condense_file
from midas_devops.context.prompts import render
from midas_devops.context.tokens import count, encoding
from midas_devops.knowledge.diagnose import diagnose_file

BUDGETS = (500, 1000, 2000)
LONG = (
    ("pytest", 10, 120),
    ("pytest", 20, 300),
    ("service", 20, 200),
    ("service", 40, 400),
    ("compiler", 15, 250),
)


def corpus() -> list[Labelled]:
    """The labelled logs that MIDAS_CORPUS names (a folder with ci_logs), if it is there."""
    folder = Path(os.environ.get("MIDAS_CORPUS", "")) / "ci_logs"
    if not (folder / "labels.json").is_file():
        return []
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [
        Labelled(name, (folder / f"{name}.log").read_bytes(), label["line"], tuple(label["also"]["lines"]))
        for name, label in labels.items()
    ]


def held_out(name: str) -> list[Labelled]:
    """A held-out set as the other sets are."""
    return [
        Labelled(log.name, log.path.read_bytes(), log.line, log.as_good) for log in held_out_sets.logs(name)
    ]


def _kept(log: Labelled, shown: set[int]) -> bool:
    return any(line in shown for line in (log.line, *log.also))


def compare(title: str, logs: list[Labelled], *, show_misses: bool) -> None:
    """Share of logs whose failing line, or one as good, is shown; in brackets the labelled line itself."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [(log, Path(folder) / f"{log.name}.log") for log in logs]
        for log, path in paths:
            path.write_bytes(log.raw)
        for name, method in methods().items():
            row = [name]
            for budget in BUDGETS:
                shown = [(log, method(path, budget)[1]) for log, path in paths]
                strict = sum(log.line in lines for log, lines in shown)
                good = sum(_kept(log, lines) for log, lines in shown)
                row.append(f"{good / len(logs):.0%} ({strict / len(logs):.0%})")
                if show_misses and name == "condense" and budget == BUDGETS[0]:
                    print("missed:", ", ".join(log.name for log, lines in shown if not _kept(log, lines)))
            rows.append(row)
    table(f"failing line kept: {title} ({len(logs)} logs)", ("method", *map(str, BUDGETS)), rows)


def compare_long(logs: list[Long]) -> None:
    """Share of the distinct failures that the text names."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.log"
        for log in logs:
            path.write_bytes(log.raw)
            row = [f"{log.name}, {len(log.raw) / 1e6:.0f} MB"]
            for method in methods().values():
                start = time.process_time()
                text, _ = method(path, 2000)
                took = time.process_time() - start
                row.append(
                    f"{sum(word in text for word, _ in log.failures) / len(log.failures):.0%}, {took:.0f} s"
                )
            rows.append(row)
    table("distinct failures named at 2,000 tokens", ("log", *methods()), rows)


def failing_run(logs: list[Labelled], longs: list[Long]) -> None:
    """Tokens of the prompt that a model is asked with after a failure, against those of the whole log."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.log"
        groups = [("held-out logs, the mean", [log.raw for log in logs])]
        groups += [(log.name, [log.raw]) for log in longs]
        for name, raws in groups:
            whole = asked = 0
            for raw in raws:
                path.write_bytes(raw)
                whole += count(raw.decode("utf-8", "replace"))
                rules = diagnose_file(path).model_dump(mode="json")
                asked += count(render("diagnose", rules=rules, evidence=condense_file(path, 2000).text))
            n = len(raws)
            rows.append((name, f"{whole // n:,}", f"{asked // n:,}", f"{whole / asked:,.1f}"))
    table("tokens of a failing run", ("log", "sending it", "the prompt of diagnose", "ratio"), rows)


def speed(megabytes: int) -> None:
    """MB/s of processor time, of condensing and of tiktoken alone on the same log."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.log"
        encoding()
        for kind in ("service", "pytest", "compiler"):
            raw = long_log(kind, megabytes, 300, seed=7).raw
            path.write_bytes(raw)
            sample = raw[:4_000_000].decode()
            size = len(raw) / 1e6
            del raw
            start = time.process_time()
            count(sample)
            tokenizer = 4 / (time.process_time() - start)
            start = time.process_time()
            condense_file(path, 2000)
            rate = size / (time.process_time() - start)
            rows.append(
                (f"{kind}, {size:.0f} MB", f"{rate:.0f}", f"{tokenizer:.1f}", f"{rate / tokenizer:.1f}")
            )
    table("MB/s of processor time", ("log", "condense", "tiktoken", "ratio (aim 5)"), rows)


def memory(path: Path) -> None:
    """Peak resident memory of this process after condensing ``path``."""
    condense_file(path, 2000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path.stat().st_size / 1e6:.0f} MB log: peak {peak:.0f} MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
        return
    compare("own labelled logs", short_logs(), show_misses=options.misses)
    if logs := corpus():
        compare("corpus", logs, show_misses=options.misses)
    for name in held_out_sets.LOG_SETS:
        compare(f"held out, {name} set", held_out(name), show_misses=options.misses)
    compare_long([long_log(kind, megabytes, failures, seed=3) for kind, megabytes, failures in LONG])
    failing_run(held_out("second"), [long_log("service", 10, 200, seed=3)])
    speed(options.megabytes)


if __name__ == "__main__":
    main()
