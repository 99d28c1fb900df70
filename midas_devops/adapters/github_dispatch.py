"""Dispatched workflow runs that can be found again: their marker, the start, the wait, the logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value
from midas_devops.domain.pipeline_runs import PipelineRun
from midas_devops.errors import MidasError, RemoteError
from midas_devops.ports.deployer import Release
from midas_devops.ports.iac import Progress
from midas_devops.ports.pipeline import PipelineRuns
from midas_devops.safety.private import private_folder, write_private

Kind = Literal["deploy", "rollback"]

APPEARS_WITHIN = 60.0
"""Seconds until a dispatched run is in GitHub's list."""
ENDS_WITHIN = 60.0
"""Seconds that a cancelled run gets to end."""
MOST_LOGS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_FEW, _MANY = 100, 1000
_REMEMBERED = 50
_PASSING = frozenset({"rate_limited", "unreachable", "timed_out", "unavailable", "unreadable"})
_MARKER = re.compile(
    r"(?P<environment>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<commit>[0-9a-f]{40,64})/(?P<run_id>[A-Za-z0-9._-]+)"
    r"/(?P<kind>deploy|rollback)/(?P<attempt>[0-9]+)(?![0-9])"
)


class Marker(Value):
    """What a run of ours carries in its name: where, what, for which run of ours, and the how-manieth."""

    environment: str
    commit: str
    run_id: str
    kind: Kind
    attempt: int

    def __str__(self) -> str:
        return f"{self.environment}/{self.commit}/{self.run_id}/{self.kind}/{self.attempt}"


def marker_of(run: PipelineRun) -> Marker | None:
    """The marker in a run's name; None for a run that somebody else started."""
    found = _MARKER.search(run.title)
    return Marker.model_validate(found.groupdict()) if found else None


class Dispatches:
    """Runs of one workflow for one environment. ``note`` remembers what was started and reported here."""

    def __init__(
        self,
        runs: PipelineRuns,
        cancel: Callable[[str], None],
        *,
        workflow: str,
        environment: str,
        note: Path,
        check: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._cancel = cancel
        self._workflow = workflow
        self._environment = environment
        self._note = note
        self._check = check

    def newest_success(self) -> tuple[PipelineRun, Marker] | None:
        """The newest run of ours that ended well. A run without our marker says nothing about us."""
        for limit in (_FEW, _MANY):
            runs = self._runs.runs(workflow=self._workflow, limit=limit)
            for run, marker in self._marked(runs):
                if run.conclusion == "success":
                    return run, marker
            if len(runs) < limit:
                break
        return None

    def unfinished(self, kind: Kind, release: Release) -> tuple[PipelineRun | None, int]:
        """A run for this release that is at work, or whose end was never reported; and the next attempt.

        After a crash between dispatch and receipt it is this run that is carried on, and none is started.
        """
        found = self._of(kind, release)
        if found is None and (marker := self._started(kind, release)) is not None:
            left = float(self._noted().get("at") or 0) + APPEARS_WITHIN - time.time()
            # The note may be from another boot, so its time is a wall clock's: one that was set back since
            # must not make this wait for longer than a fresh dispatch would.
            found = self.appears(marker, within=min(max(left, 0.0), APPEARS_WITHIN))
        if found is None:
            return None, 1
        run, attempt = found
        reported = run.status == "completed" and run.id in self._reported()
        return (None, attempt + 1) if reported else (run, attempt)

    def start(self, marker: Marker, ref: str, inputs: Mapping[str, str]) -> PipelineRun | None:
        """Dispatch once. None when no run shows the marker. Raises ``RemoteError`` when GitHub refuses."""
        self._remember(marker=str(marker), at=time.time())
        try:
            told = self._runs.trigger(self._workflow, branch=ref, inputs=inputs)
        except RemoteError as error:
            if error.reason not in ("unreachable", "timed_out", "unavailable", "unreadable"):
                self._remember(marker="", at=0)
                raise
            found = self.appears(marker)  # the answer was lost; the request perhaps not
            if found is None:
                raise
            return found[0]
        if told.run_id:
            return self._patiently(lambda: self._runs.run(told.run_id), time.monotonic() + APPEARS_WITHIN)
        found = self.appears(marker)
        return found[0] if found else None

    def appears(self, marker: Marker, *, within: float | None = None) -> tuple[PipelineRun, int] | None:
        """The run with this marker, as soon as GitHub lists it; None when it does not ``within`` seconds."""
        deadline = time.monotonic() + (APPEARS_WITHIN if within is None else within)
        pause = _FIRST_PAUSE
        while True:
            try:
                for run, found in self._marked(self._runs.runs(workflow=self._workflow, limit=_FEW)):
                    if found == marker:
                        return run, marker.attempt
            except RemoteError as error:
                if error.reason not in _PASSING:
                    raise
            if time.monotonic() >= deadline:
                return None
            pause = self._sleep(pause)

    def wait(self, run: PipelineRun, within: float, progress: Progress) -> PipelineRun:
        """Until it has ended; cancelled when that takes too long. GitHub may be away in between."""
        deadline = time.monotonic() + within
        pause, told = _FIRST_PAUSE, set[str]()
        while run.status != "completed" and time.monotonic() < deadline:
            for line in self._news(run):
                if line not in told:
                    told.add(line)
                    progress(line)
            pause = self._sleep(pause)
            try:
                run = self._runs.run(run.id)
            except RemoteError as error:
                if error.reason not in _PASSING:
                    raise
                if error.message not in told:
                    told.add(error.message)
                    progress(f"{error.message}; the run goes on without us")
        return run

    def cancel(self, run: PipelineRun) -> PipelineRun:
        """Stop a run, and see that it has ended: one that went on would deploy behind our back."""
        deadline = time.monotonic() + ENDS_WITHIN
        try:
            self._cancel(run.id)
        except RemoteError as error:
            if error.reason != "refused":  # it has ended by itself
                raise
        pause = _FIRST_PAUSE
        while run.status != "completed" and time.monotonic() < deadline:
            run = self._patiently(partial(self._runs.run, run.id), deadline) or run
            if run.status != "completed":
                pause = self._sleep(pause)
        return run

    def logs(self, run: PipelineRun) -> tuple[ArtifactRef, ...]:
        """Raw logs of its jobs, those that failed last: there the diagnosis begins. What GitHub has no more
        is left out."""
        kept = []
        jobs = sorted(
            self._runs.jobs(run), key=lambda job: job.conclusion not in (None, "success", "skipped")
        )
        for job in jobs[-MOST_LOGS:]:
            try:
                kept.append(self._runs.log(job))
            except RemoteError:
                continue
        return tuple(kept)

    def failed_steps(self, run: PipelineRun) -> str:
        """Which steps of which jobs failed, in a few words."""
        try:
            jobs = self._runs.jobs(run)
        except MidasError:
            return ""
        named = [f"{job.name} at '{job.failed_step}'" for job in jobs if job.failed_step]
        return f" in {', '.join(named[:3])}" if named else ""

    def report(self, run: PipelineRun) -> None:
        """Its end is told: the same release asked for again is another run."""
        self._remember(marker="", at=0, reported=[*self._reported(), run.id][-_REMEMBERED:])

    def _news(self, run: PipelineRun) -> Iterator[str]:
        yield f"run {run.number or run.id} is {run.status.replace('_', ' ')}: {run.url}"
        try:
            for job in self._runs.jobs(run):
                yield f"job {job.name} is {job.status.replace('_', ' ')}"
        except RemoteError:
            return  # only for people to watch

    def _of(self, kind: Kind, release: Release) -> tuple[PipelineRun, int] | None:
        """The newest attempt at this release, with its number."""
        wanted = (release.commit, release.run_id, kind)
        runs = self._marked(self._runs.runs(workflow=self._workflow, limit=_FEW))
        mine = [(run, m.attempt) for run, m in runs if (m.commit, m.run_id, m.kind) == wanted]
        return max(mine, key=lambda found: found[1], default=None)

    def _marked(self, runs: tuple[PipelineRun, ...]) -> Iterator[tuple[PipelineRun, Marker]]:
        for run in runs:
            marker = marker_of(run)
            if marker is not None and marker.environment == self._environment:
                yield run, marker

    def _patiently(self, ask: Callable[[], PipelineRun], deadline: float) -> PipelineRun | None:
        pause = _FIRST_PAUSE
        while True:
            try:
                return ask()
            except RemoteError as error:
                if error.reason not in (*_PASSING, "not_found") or time.monotonic() >= deadline:
                    return None
            pause = self._sleep(pause)

    def _sleep(self, pause: float) -> float:
        self._check()
        time.sleep(pause)
        return min(pause * 1.5, _LONGEST_PAUSE)

    def _started(self, kind: Kind, release: Release) -> Marker | None:
        """What this machine dispatched for this release without having seen its run."""
        found = _MARKER.fullmatch(str(self._noted().get("marker") or ""))
        marker = Marker.model_validate(found.groupdict()) if found else None
        if marker is None or marker.environment != self._environment:
            return None
        same = (marker.commit, marker.run_id, marker.kind) == (release.commit, release.run_id, kind)
        return marker if same else None

    def _reported(self) -> list[str]:
        reported = self._noted().get("reported")
        return [str(number) for number in reported] if isinstance(reported, list) else []

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}  # without it, GitHub's list alone tells
        return noted if isinstance(noted, dict) else {}

    def _remember(self, **values: object) -> None:
        private_folder(self._note.parent)
        write_private(self._note, json.dumps({**self._noted(), **values}).encode())
