"""What one change says and writes down while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from midas_devops.adapters.local import logs
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.target import Target
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import StorageError
from midas_devops.ports.deployer import DeployErrorCode, DeployFailure
from midas_devops.ports.iac import Progress


class StepFailedError(Exception):
    """A step did not do its work; the environment is put back."""

    def __init__(self, code: DeployErrorCode, message: str) -> None:
        super().__init__(message)
        self.failure = DeployFailure(code=code, message=message)


class Journal:
    """The state on record, the progress, the logs that were kept."""

    def __init__(self, target: Target, progress: Progress, interrupts: Interrupts) -> None:
        self.state = target.record.load()
        self.logs: list[ArtifactRef] = []
        self._target = target
        self._progress = progress
        self._interrupts = interrupts
        self._error: Exception | None = None

    @property
    def serving_mark(self) -> str:
        """Mark of the service on record; empty when there is none."""
        return self.state.serving.mark if self.state.serving is not None else ""

    def save(self, **changes: object) -> None:
        """Write a change of the state down before it happens. Raises ``StorageError``."""
        self.state = self.state.model_copy(update=changes)
        self._target.record.save(self.state)

    def save_if_possible(self, **changes: object) -> None:
        """On the way back a note that cannot be written stops nothing: processes carry their mark."""
        try:
            self.save(**changes)
        except StorageError as error:
            self.tell(f"could not write down what serves: {error.message}")

    def tell(self, line: str) -> None:
        """One line of progress. Whatever the receiver raises waits until the environment is in order."""
        if self._error is not None:
            return
        try:
            self._progress(self._target.redact(line))
        except KeyboardInterrupt:
            self._interrupts.requested = True
        except Exception as error:  # noqa: BLE001 - raised by raise_receivers_error
            self._error = error

    def raise_receivers_error(self) -> None:
        """What the receiver of progress raised on the way."""
        if self._error is not None:
            raise self._error

    def keep(self, store: Callable[[], ArtifactRef | None]) -> None:
        """Keep a log; one that cannot be stored is missed, and the change goes on."""
        try:
            ref = store()
        except (StorageError, OSError) as error:
            self.tell(f"a log could not be kept: {error}")
            return
        if ref is not None and ref not in self.logs:
            self.logs.append(ref)

    def said(self, log: Path) -> str:
        """The end of a log as the end of a sentence."""
        lines = logs.last_lines(log, self._target.redact)
        return f". It said last: {lines}" if lines else ". It said nothing"


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def exit_words(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "an unknown status"
    return f"signal {-code}" if code < 0 else f"status {code}"
