"""The aims, on the labelled logs: the failing line kept, distinct failures of long logs visible."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from benchmarks.labelled_logs.load import Labelled, long_log, short_logs
from midas_devops.context.condense import condense_stream


def _kept(log: Labelled, budget: int) -> bool:
    result = condense_stream(io.BytesIO(log.raw), budget)
    return any(s.first_line <= line <= s.last_line for s in result.spans for line in (log.line, *log.also))


def _corpus() -> list[Labelled]:
    folder = Path(os.environ.get("MIDAS_CORPUS", "nowhere")) / "ci_logs"
    if not (folder / "labels.json").is_file():
        return []
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [
        Labelled(name, (folder / f"{name}.log").read_bytes(), label["line"], tuple(label["also"]["lines"]))
        for name, label in labels.items()
    ]


@pytest.mark.parametrize(("budget", "aim"), [(500, 0.85), (1000, 0.9), (2000, 0.95)])
def test_the_failing_line_is_kept_in_our_logs(budget: int, aim: float) -> None:
    logs = short_logs()
    assert len(logs) >= 30
    missed = [log.name for log in logs if not _kept(log, budget)]
    assert len(missed) <= (1 - aim) * len(logs), missed


@pytest.mark.skipif(not _corpus(), reason="MIDAS_CORPUS names no folder with ci_logs")
@pytest.mark.parametrize(("budget", "aim"), [(500, 0.85), (2000, 0.95)])
def test_the_failing_line_is_kept_in_the_corpus(budget: int, aim: float) -> None:
    logs = _corpus()
    missed = [log.name for log in logs if not _kept(log, budget)]
    assert len(missed) <= (1 - aim) * len(logs), missed


@pytest.mark.parametrize(
    ("kind", "megabytes", "distinct"), [("pytest", 10, 250), ("service", 10, 250), ("compiler", 10, 250)]
)
def test_of_hundreds_of_failures_in_a_long_log_most_are_named(
    kind: str, megabytes: int, distinct: int
) -> None:
    log = long_log(kind, megabytes, distinct, seed=11)
    result = condense_stream(io.BytesIO(log.raw), 2000)
    named = sum(name in result.text for name, _ in log.failures)
    assert named >= 0.85 * distinct
