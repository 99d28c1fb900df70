"""Where the marks of a plot of run durations over time stand. Numbers only; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from midas_devops.interfaces.wording import Json, moment, plain, span

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 124, 14, 46
"""Room for the labels around the plot, in the units of the drawing."""
_UNITS = ((1, "s"), (60, "min"), (3600, "h"))
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 600)
_MOST_TICKS = 5
_MOST_TIMES = 7
_KIND = {"success": "passed", "failure": "failed", "timed_out": "failed", "startup_failure": "failed"}


@dataclass(frozen=True)
class Mark:
    """One run."""

    x: float
    y: float
    kind: str
    """``passed``, ``failed`` or ``other``: a shape and a colour each."""
    label: str


@dataclass(frozen=True)
class Tick:
    """A line of the grid and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Everything that is drawn, in the units of a drawing of ``WIDTH`` × ``HEIGHT``."""

    marks: tuple[Mark, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    unit: str
    levels: tuple[Tick, ...]
    """Median and 95th percentile."""
    left_out: int
    """Runs without a duration: not ended."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that occur, for the legend."""
        there = {mark.kind for mark in self.marks}
        return tuple(kind for kind in ("passed", "failed", "other") if kind in there)


def durations_plot(workflow: Json) -> Plot | None:
    """The plot of one workflow's runs; None when no run has ended."""
    timed = [
        (at, float(run["duration_seconds"]), run)
        for run in workflow["runs"]
        if run["duration_seconds"] is not None and (at := moment(run["created_at"])) is not None
    ]
    if not timed:
        return None
    first, last = min(at for at, _, _ in timed), max(at for at, _, _ in timed)
    if last - first < timedelta(hours=1):
        first, last = first - timedelta(minutes=30), last + timedelta(minutes=30)
    size, unit, step = _scale(max(seconds for _, seconds, _ in timed))
    top = max(1, math.ceil(max(seconds for _, seconds, _ in timed) / size / step)) * step * size

    def across(at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((at - first) / (last - first)), 1)

    def up(seconds: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (seconds / top), 1)

    rows = tuple(Tick(up(n * step * size), f"{n * step:g}") for n in range(round(top / size / step) + 1))
    return Plot(
        marks=tuple(
            Mark(across(at), up(seconds), _kind(run), _label(run, at, seconds))
            for at, seconds, run in sorted(timed, key=lambda one: one[0])
        ),
        rows=rows,
        columns=tuple(_columns(first, last, across)),
        unit=unit,
        levels=tuple(_levels(workflow["duration"], up)),
        left_out=len(workflow["runs"]) - len(timed),
    )


def _scale(longest: float) -> tuple[int, str, float]:
    """Seconds per unit, the unit's name, and units per line of the grid."""
    size, unit = next(
        (one for one in reversed(_UNITS) if longest >= 2 * one[0]),
        _UNITS[0],
    )
    steps = (0.5, *_STEPS) if size > 1 else (0.1, 0.2, 0.5, *_STEPS)
    step = next((step for step in steps if longest / size / step <= _MOST_TICKS), 0)
    return size, unit, step or math.ceil(longest / size / _MOST_TICKS / 100) * 100


def _columns(first: datetime, last: datetime, across: Callable[[datetime], float]) -> list[Tick]:
    if last - first <= timedelta(days=2):
        hours = next((n for n in (1, 2, 3, 6) if (last - first) / timedelta(hours=n) <= _MOST_TIMES), 12)
        start = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        times = [start + timedelta(hours=n) for n in range(50)]
        return [
            Tick(across(at), f"{at:%d %b %H:%M}")
            for at in times
            if first <= at <= last and at.hour % hours == 0
        ]
    days = max(1, math.ceil((last - first) / timedelta(days=1) / _MOST_TIMES))
    start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    count = int((last - start) / timedelta(days=days)) + 1 if last >= start else 0
    return [
        Tick(across(at), f"{at:%d %b}") for at in (start + timedelta(days=days * n) for n in range(count))
    ]


def _levels(durations: Json, up: Callable[[float], float]) -> list[Tick]:
    middle, high = durations["median_seconds"], durations["p95_seconds"]
    if middle is None or high is None:
        return []
    apart = 14
    at_middle, at_high = up(middle), up(high)
    found = [Tick(at_middle, f"median {span(middle)}")]
    # Two labels on one line would hide each other.
    return found if at_middle - at_high < apart else [*found, Tick(at_high, f"p95 {span(high)}")]


def _kind(run: Json) -> str:
    return _KIND.get(str(run["conclusion"]), "other")


def _label(run: Json, at: datetime, seconds: float) -> str:
    ended = str(run["conclusion"] or "not ended").replace("_", " ")
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return plain(f"run {run['number']}: {ended} after {span(seconds)}, {when}, {str(run['commit'])[:10]}")
