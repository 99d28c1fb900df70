"""Runs Pulumi's commands so that they survive us, and says why one did not do its work."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from midas_devops.adapters.child import Ended, run_to_file
from midas_devops.adapters.pulumi.events import EventLog
from midas_devops.adapters.pulumi.project import Project
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.outcome import Diagnostic
from midas_devops.errors import ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import IacErrorCode, IacFailure, Progress

GRACE_SECONDS = 60.0
"""How long an interrupted engine may take to end: it waits for the resource that it is at, to record it."""
_QUERY_SECONDS = 300.0
_INSTALL = "install it (https://www.pulumi.com/docs/install)"
_LOCKED = ("the stack is currently locked by", "Another update is currently in progress")
_PLAN_VIOLATED = (
    "not allowed by the plan",
    "violates plan",
    "no plan for resource",
    "expected resource operations",
)
_NO_PROJECT = ("could not load project", "failed to load Pulumi project", "no Pulumi.yaml project file found")
_CANNOT_BEGIN = (
    "passphrase",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
    "plugin",
    "login",
)


@dataclass(frozen=True)
class Answer:
    """How one command ended."""

    ended: Ended
    events: EventLog
    said: tuple[str, ...] = ()
    """Its last lines of text."""
    log: ArtifactRef | None = None

    @property
    def ok(self) -> bool:
        return self.ended.ok and not self.events.errors

    @property
    def complaint(self) -> str:
        """What it printed as its own error, outside of the engine's events."""
        return next((line.removeprefix("error: ") for line in self.said if line.startswith("error: ")), "")


class Commands:
    """Pulumi on one stack. Raises ``ToolError`` only when Pulumi cannot be started."""

    def __init__(
        self, environ: Mapping[str, str], artifacts: Artifacts, private: Callable[[], Path], timeout: float
    ) -> None:
        self._environ = environ
        self._artifacts = artifacts
        self._private = private
        self._timeout = timeout

    @cached_property
    def program(self) -> str:
        found = shutil.which("pulumi", path=self._environ.get("PATH"))
        if found is None:
            raise ToolError("the configured engine pulumi is not installed", hint=_INSTALL)
        return found

    @cached_property
    def version(self) -> str:
        """Version number, without its ``v``."""
        ended, output, _ = self._captured([self.program, "version"], Path.cwd(), self._surroundings(""))
        version = output.decode("utf-8", "replace").strip().removeprefix("v")
        if not ended.ok or not version[:1].isdigit():
            raise ToolError(
                f"{self.program} does not say its version (exit code {ended.returncode})",
                hint="check that it runs: pulumi version",
            )
        return version

    def query(self, project: Project, arguments: list[str]) -> tuple[Ended, bytes, str]:
        """A command that only reads or sets the stack up; its output and its complaints."""
        line = [self.program, *arguments, "--stack", project.stack, *_UNATTENDED]
        return self._captured(line, project.folder, self.environment(project))

    def operate(
        self,
        project: Project,
        arguments: list[str],
        progress: Progress,
        *,
        kept: Path | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> Answer:
        """A command of the engine, followed by its events. ``kept``: where both outputs lie meanwhile.

        Beside ``kept`` the events go to ``kept.events``; both are removed at the end.
        """
        text = kept or self._private() / f"{uuid.uuid4().hex}.log"
        written = text.with_suffix(".events")
        written.unlink(missing_ok=True)
        events = EventLog(str(project.folder), project.relative)
        follow = _Follower(written, events, progress)
        line = [self.program, *arguments, "--stack", project.stack, "--event-log", str(written), *_UNATTENDED]
        ended = run_to_file(
            line,
            cwd=project.folder,
            env=self.environment(project),
            log=text,
            timeout=self._timeout,
            grace=GRACE_SECONDS,
            on_line=follow.read,
            on_start=on_start,
        )
        follow.read("")
        answer = self.answer(text, events, ended, arguments[0])
        text.unlink(missing_ok=True)
        written.unlink(missing_ok=True)
        return answer

    def answer(self, text: Path, events: EventLog, ended: Ended, name: str) -> Answer:
        """What the two outputs of a command that has ended say. The text is kept as a private artifact."""
        said = text.read_text("utf-8", "replace").splitlines()
        log = self._artifacts.put_file(text, f"pulumi-{name}.log", private=True)
        return Answer(ended, events, tuple(said[-200:]), log)

    def environment(self, project: Project) -> dict[str, str]:
        """Ours as it was given, and what makes Pulumi work unattended and tell us what it does."""
        return self._surroundings(project.backend(self._environ))

    def _surroundings(self, backend: str) -> dict[str, str]:
        # The event log is what Pulumi's own Automation API follows, and behind this switch.
        fixed = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DEBUG_COMMANDS": "true"}
        # A relative folder would be another one for an earlier commit of the project.
        where = {"PULUMI_BACKEND_URL": backend} if backend.startswith("file://") else {}
        return {**self._environ, **fixed, **where}

    def _captured(self, line: list[str], folder: Path, env: Mapping[str, str]) -> tuple[Ended, bytes, str]:
        name = uuid.uuid4().hex
        output, errors = self._private() / f"{name}.out", self._private() / f"{name}.err"
        try:
            ended = run_to_file(line, cwd=folder, env=env, log=output, errors=errors, timeout=_QUERY_SECONDS)
            return ended, output.read_bytes(), errors.read_text("utf-8", "replace")
        finally:
            output.unlink(missing_ok=True)
            errors.unlink(missing_ok=True)


_UNATTENDED = ("--non-interactive", "--color", "never")


class _Follower:
    """Reads the event log each time that the engine printed a line, and says what happened."""

    def __init__(self, path: Path, events: EventLog, progress: Progress) -> None:
        self._path = path
        self._events = events
        self._progress = progress
        self._position = 0

    def read(self, _printed: str) -> None:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._position)
                block = stream.read()
        except FileNotFoundError:
            return
        whole = block.rfind(b"\n") + 1
        self._position += whole
        for line in block[:whole].decode("utf-8", "replace").splitlines():
            if watched := self._events.read(line):
                self._progress(watched)


def failure_of(answer: Answer, attempted: str, otherwise: IacErrorCode) -> IacFailure:
    """Why a command did not do its work; ``otherwise`` where its answer fits nothing closer."""
    code = _code(answer, otherwise)
    errors = answer.events.errors
    if not errors and answer.complaint:
        errors = (Diagnostic(summary=answer.complaint, detail="\n".join(answer.said[-20:])[:4000]),)
    holder = _lock_line(answer.said) if code == "state_locked" else ""
    if code == "timed_out":
        seen = "it took too long and was interrupted"
    elif code == "cancelled":
        seen = "it was interrupted"
    elif code == "state_locked":
        seen = f"the stack is locked by {holder}" if holder else "another update of the stack is in progress"
    elif errors:
        # The stack's own error only sums up: 'update failed'.
        first = next((item for item in errors if item.summary != "update failed"), errors[0])
        where = f" [{first.address}]" if first.address else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        seen = first.summary + where + more
    else:
        last = next((line for line in reversed(answer.said) if line.strip()), "")
        seen = f"it ended with exit code {answer.ended.returncode}" + (f": {last.strip()}" if last else "")
    return IacFailure(
        code=code, message=f"{attempted}: {seen}", diagnostics=errors, lock_holder=holder, log=answer.log
    )


def unread(error: ToolError, attempted: str) -> IacFailure:
    """Why something was not even begun: the state could not be read, for a reason that Pulumi gave."""
    no_project = any(sign in error.message for sign in _NO_PROJECT)
    code: IacErrorCode = "invalid_configuration" if no_project else "plan_failed"
    return IacFailure(code=code, message=f"{attempted}: {error.message}")


def _code(answer: Answer, otherwise: IacErrorCode) -> IacErrorCode:
    if answer.ended.timed_out:
        return "timed_out"
    if answer.ended.cancelled:
        return "cancelled"
    text = "\n".join((*answer.said, *(f"{item.summary}\n{item.detail}" for item in answer.events.errors)))
    if any(sign in text for sign in _LOCKED):
        return "state_locked"
    if otherwise == "apply_failed":
        nothing_done = not (answer.events.created() or answer.events.changed() or answer.events.destroyed())
        return "stale_plan" if nothing_done and any(sign in text for sign in _PLAN_VIOLATED) else otherwise
    if any(sign in text for sign in _NO_PROJECT):
        return "invalid_configuration"
    if not answer.events.begun and any(sign in answer.complaint for sign in _CANNOT_BEGIN):
        return "init_failed"
    if any(item.file for item in answer.events.errors):
        return "invalid_configuration"
    return otherwise


def _lock_line(said: tuple[str, ...]) -> str:
    """``…/0b5e.json: created by ana@build-7 (pid 4242) at 2026-01-31T18:10:41Z`` without the path."""
    line = next((line for line in said if ": created by " in line), "")
    return line.partition(": created by ")[2].strip()
