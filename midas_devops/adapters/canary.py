"""A new version gets its share of the traffic step by step, and has to prove itself at each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.config import CanaryStep
from midas_devops.domain.base import Value
from midas_devops.errors import StorageError
from midas_devops.ports.iac import Progress
from midas_devops.safety.private import private_folder, storage_error, write_private

_BETWEEN_LOOKS = 10.0
"""Seconds between two analyses during a pause: a bad version does not keep its share to the end of it."""
_TICK = 0.1
_EVERYTHING = 100


class Position(Value):
    """How far a version has come, on record before each step."""

    commit: str
    version: str
    step: int
    """0-based, of :func:`all_steps`."""


def all_steps(steps: Sequence[CanaryStep]) -> tuple[CanaryStep, ...]:
    """The configured steps, and the one that gives everything when it was left out."""
    if steps and steps[-1].weight == _EVERYTHING:
        return tuple(steps)
    return (*steps, CanaryStep(weight=_EVERYTHING))


def remaining(steps: Sequence[CanaryStep], begin: int) -> tuple[tuple[int, CanaryStep], ...]:
    """The steps from ``begin`` on with their indices, at least the one that gives everything."""
    numbered = tuple(enumerate(all_steps(steps)))
    return numbered[min(begin, len(numbered) - 1) :]


def effects(steps: Sequence[CanaryStep], version: str, checked_by: str, begin: int = 0) -> list[str]:
    """The steps from ``begin`` on in words, for a plan."""
    lines = []
    for _, step in remaining(steps, begin):
        pause = step.pause.total_seconds()
        for_how_long = f" for {pause:.0f} s" if pause else ""
        lines.append(f"give {version} {step.weight} % of the traffic; check it{for_how_long} by {checked_by}")
    return [*lines, "give it none again when a check fails"]


def climb(
    steps: Sequence[CanaryStep],
    begin: int,
    *,
    record: Callable[[int], None],
    give: Callable[[int], None],
    judge: Callable[[int], None],
    interrupts: Interrupts,
    progress: Progress,
) -> None:
    """Go up the steps from ``begin``. ``judge`` raises when the version is not good enough at a weight.

    A step that was begun before a crash is given and proven again: both can be repeated.
    """
    for index, step in remaining(steps, begin):
        record(index)
        give(step.weight)
        progress(f"{step.weight} % of the traffic: {_for_how_long(step.pause)}")
        _prove(step, judge, interrupts)


def _for_how_long(pause: timedelta) -> str:
    seconds = pause.total_seconds()
    return f"watched for {seconds:.0f} s" if seconds else "checked"


def _prove(step: CanaryStep, judge: Callable[[int], None], interrupts: Interrupts) -> None:
    # Monotonic: a clock that is set forward must not shorten the watch, one set back not prolong it.
    until = time.monotonic() + step.pause.total_seconds()
    judge(step.weight)
    while (left := until - time.monotonic()) > 0:
        _wait(min(_BETWEEN_LOOKS, left), interrupts)
        judge(step.weight)


def _wait(seconds: float, interrupts: Interrupts) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        interrupts.check()
        time.sleep(min(_TICK, left))


class PositionFile:
    """A position on record on this machine, for a deployer whose target cannot hold it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Position | None:
        """The open one. Raises ``StorageError``."""
        try:
            return Position.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error("read how far the new version has come", self._path, error) from error
        except ValidationError as error:
            raise StorageError(
                "could not read how far the new version has come: the file is damaged",
                hint="give all traffic to one version by hand, then delete the file",
                location=str(self._path),
            ) from error

    def save(self, position: Position) -> None:
        """Raises ``StorageError``."""
        private_folder(self._path.parent)
        write_private(self._path, position.model_dump_json().encode())

    def clear(self) -> None:
        """The way is over, up or down."""
        self._path.unlink(missing_ok=True)
