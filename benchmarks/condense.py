"""Is the failing line kept? Condensing against tail, head+tail and a grep for errors; speed against tiktoken.

python -m benchmarks.condense            labelled logs, long logs
python -m benchmarks.condense --speed    MB/s and peak memory on a log of 100 MB
python -m benchmarks.condense --misses   what was not kept, at 500 tokens
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.labelled_logs.load import Labelled, Long, long_log, short_logs
from midas_devops.context.condense import condense_file
from midas_devops.context.reading import decode, wide_encoding
from midas_devops.context.signals import clean
from midas_devops.context.tokens import count, encoding

BUDGETS = (500, 1000, 2000)
Method = Callable[[Path, int], tuple[str, set[int]]]


def _lines(path: Path) -> list[str]:
    raw = path.read_bytes()
    wide = wide_encoding(raw[:4096])
    text = raw.decode("utf-16") if wide else decode(raw)
    return [clean(line) for line in text.split("\n")]


def _take(lines: list[str], order: list[int], budget: int) -> tuple[str, set[int]]:
    kept: list[int] = []
    used = 0
    for index in order:
        tokens = count(lines[index][:4000] + "\n")
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


_GREP = re.compile(r"(?i)error|fail|fatal|exception")


def grep(path: Path, budget: int) -> tuple[str, set[int]]:
    lines = _lines(path)
    return _take(lines, [i for i, line in enumerate(lines) if _GREP.search(line)], budget)


def condensed(path: Path, budget: int) -> tuple[str, set[int]]:
    result = condense_file(path, budget)
    if result.tokens > budget or count(result.text) != result.tokens:
        raise SystemExit(f"{path}: {result.tokens} tokens for a budget of {budget}")
    return result.text, {n for span in result.spans for n in range(span.first_line, span.last_line + 1)}


METHODS: dict[str, Method] = {"tail": tail, "head+tail": head_and_tail, "grep": grep, "condense": condensed}


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


def _kept(log: Labelled, shown: set[int]) -> bool:
    return any(line in shown for line in (log.line, *log.also))


def compare(title: str, logs: list[Labelled], misses: bool) -> None:
    print(f"\n{title}: {len(logs)} logs; failing line kept, in % (the labelled line | or one as good)")
    print(f"{'':12}" + "".join(f"{budget:>16}" for budget in BUDGETS))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for log in logs:
            path = Path(folder) / f"{log.name}.log"
            path.write_bytes(log.raw)
            paths.append((log, path))
        for name, method in METHODS.items():
            row = f"{name:12}"
            for budget in BUDGETS:
                shown = [(log, method(path, budget)[1]) for log, path in paths]
                strict = sum(log.line in lines for log, lines in shown)
                good = sum(_kept(log, lines) for log, lines in shown)
                row += f"{100 * strict / len(logs):>9.0f} |{100 * good / len(logs):>5.0f}"
                if misses and name == "condense" and budget == BUDGETS[0]:
                    print("missed:", ", ".join(log.name for log, lines in shown if log.line not in lines))
            print(row)


def compare_long(logs: list[Long]) -> None:
    print(
        "\nlong logs: distinct failures visible at 2,000 tokens, in % (by the name it has | by a line of it)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for log in logs:
            path = Path(folder) / "long.log"
            path.write_bytes(log.raw)
            print(log.name, f"({len(log.raw) / 1e6:.0f} MB)")
            row = "   "
            for name, method in METHODS.items():
                start = time.process_time()
                text, shown = method(path, 2000)
                took = time.process_time() - start
                by_text = sum(word in text for word, _ in log.failures)
                by_line = sum(any(n in shown for n in lines) for _, lines in log.failures)
                n = len(log.failures)
                row += f"  {name} {100 * by_text / n:.0f} | {100 * by_line / n:.0f} ({took:.1f} s)"
            print(row)


def speed(megabytes: int) -> None:
    """MB/s of processor time, of condensing and of tiktoken alone on the same log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.log"
        print(f"\nspeed, {megabytes} MB logs of each kind, budget 2,000")
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
            print(
                f"{kind:10} condense {rate:6.1f} MB/s   tiktoken {tokenizer:5.1f} MB/s"
                f"   ratio {rate / tokenizer:4.1f}"
            )


def memory(path: Path) -> None:
    """Peak resident memory of this process after condensing ``path``."""
    condense_file(path, 2000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path.stat().st_size / 1e6:.0f} MB log: peak {peak:.0f} MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
    elif options.speed:
        speed(options.megabytes)
    else:
        compare("own labelled logs", short_logs(), options.misses)
        if logs := corpus():
            compare("corpus", logs, options.misses)
        compare_long(
            [
                long_log(kind, mb, n, seed=3)
                for kind, mb, n in (
                    ("pytest", 10, 120),
                    ("pytest", 20, 300),
                    ("service", 20, 200),
                    ("service", 40, 400),
                    ("compiler", 15, 250),
                )
            ]
        )


if __name__ == "__main__":
    main()
