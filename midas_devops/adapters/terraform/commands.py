"""Runs one engine command for one place: environment, timeouts, log, and what its answer means."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from midas_devops.adapters.child import Ended, run_to_file
from midas_devops.adapters.terraform.program import Program
from midas_devops.adapters.terraform.stream import EngineDiagnostic, EngineStream
from midas_devops.adapters.terraform.workspace import Place
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.outcome import Diagnostic
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import IacErrorCode, IacFailure, Progress

GRACE_SECONDS = 60.0
"""How long an interrupted engine may take to end: it waits for the resource that it is at, to record it."""
_MAKES_WORKSPACES = frozenset({"init", "workspace"})
"""Commands that make the workspace of ``TF_WORKSPACE``, or refuse to work while it is set."""
_UNREADABLE_STATE = (
    "Unsupported state file format",
    "Failed to load state",
    "Error loading state",
    "Error refreshing state",
    "state snapshot was created by",
)


@dataclass(frozen=True)
class Answer:
    """How one engine command ended."""

    ended: Ended
    stream: EngineStream
    log: ArtifactRef | None = None

    @property
    def ok(self) -> bool:
        return self.ended.ok and not self.stream.errors


class _Validated(msgspec.Struct):
    diagnostics: list[EngineDiagnostic] = []


class Commands:
    """Runs the commands of one engine."""

    def __init__(
        self,
        program: Program,
        environ: Mapping[str, str],
        artifacts: Artifacts,
        private: Path,
        timeout: float,
    ) -> None:
        self._program = program
        self._environ = environ
        self._artifacts = artifacts
        self._private = private
        self._timeout = timeout

    def stream(
        self,
        place: Place,
        arguments: list[str],
        progress: Progress,
        *,
        log: Path | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> Answer:
        """A command that speaks the JSON stream. Its output is kept as text, in a private artifact.

        ``log`` is where the raw output goes meanwhile; it is removed at the end.
        """
        stream = EngineStream(place.real.relative)
        raw = log or self._private / f"{uuid.uuid4().hex}.jsonl"
        with written_as_text(raw.with_suffix(".txt")) as (text_log, write):

            def take(line: str) -> None:
                text, watched = stream.read(line)
                write(text)
                if watched:
                    progress(watched)

            ended = run_to_file(
                [*self._program.argv, *arguments],
                cwd=place.configuration.folder,
                env=self.environment(place, arguments[0]),
                log=raw,
                timeout=self._timeout,
                grace=GRACE_SECONDS,
                on_line=take,
                on_start=on_start,
            )
        kept = self._artifacts.put_file(text_log, f"{self._program.name}-{arguments[0]}.log", private=True)
        text_log.unlink(missing_ok=True)
        raw.unlink(missing_ok=True)
        return Answer(ended, stream, kept)

    def document(self, place: Place, arguments: list[str], into: Path) -> Answer:
        """A command that prints one document, into a file that the caller removes."""
        stream = EngineStream(place.real.relative)
        complaints = into.with_name(f"{into.name}.errors")
        ended = run_to_file(
            [*self._program.argv, *arguments],
            cwd=place.configuration.folder,
            env=self.environment(place, arguments[0]),
            log=into,
            errors=complaints,
            timeout=self._timeout,
            grace=GRACE_SECONDS,
        )
        for line in complaints.read_text("utf-8", "replace").splitlines():
            stream.read(line)
        kept = None
        if not ended.ok:
            name = f"{self._program.name}-{arguments[0]}.log"
            kept = self._artifacts.put_file(complaints, name, private=True)
        complaints.unlink(missing_ok=True)
        return Answer(ended, stream, kept)

    def validate(self, place: Place, into: Path) -> Answer:
        """``validate -json``, whose diagnostics come in one document."""
        answer = self.document(place, ["validate", "-json", "-no-color"], into)
        for diagnostic in _diagnostics(into.read_bytes()):
            answer.stream.diagnose(diagnostic)
        return answer

    def environment(self, place: Place, command: str) -> dict[str, str]:
        """Ours as it was given, and what makes an engine work unattended."""
        environ = dict(self._environ)
        if command in _MAKES_WORKSPACES:
            environ.pop("TF_WORKSPACE", None)
        return {
            **environ,
            "TF_DATA_DIR": str(place.data),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }


def _diagnostics(document: bytes) -> list[EngineDiagnostic]:
    try:
        return msgspec.json.decode(document, type=_Validated).diagnostics
    except msgspec.DecodeError:
        return []


def failure_of(answer: Answer, attempted: str, otherwise: IacErrorCode) -> IacFailure:
    """Why a command did not do its work; ``otherwise`` where its answer fits nothing closer."""
    errors = answer.stream.errors
    code = _code(answer, otherwise)
    if code == "timed_out":
        seen = "it took too long and was interrupted"
    elif code == "cancelled":
        seen = "it was interrupted"
    elif code == "state_locked":
        holder = answer.stream.lock_holder
        seen = f"the state is locked by {holder}" if holder else "the state lock cannot be taken"
    elif errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        seen = errors[0].summary.split("\n")[0] + _where(errors[0]) + more
    else:
        said = f": {answer.stream.last_line}" if answer.stream.last_line else ""
        seen = f"it ended with exit code {answer.ended.returncode}{said}"
    return IacFailure(
        code=code,
        message=f"{attempted}: {seen}",
        diagnostics=errors,
        lock_holder=answer.stream.lock_holder,
        log=answer.log,
    )


def _where(error: Diagnostic) -> str:
    place = f" ({error.file}:{error.line})" if error.file and not error.file.startswith("<") else ""
    return f"{place} [{error.address}]" if error.address else place


def _code(answer: Answer, otherwise: IacErrorCode) -> IacErrorCode:
    if answer.ended.timed_out:
        return "timed_out"
    if answer.ended.cancelled:
        return "cancelled"
    errors = answer.stream.errors
    texts = [f"{item.summary}\n{item.detail}" for item in errors]
    if any(sign in text for text in texts for sign in _UNREADABLE_STATE):
        return "unreadable_state"
    if any("state lock" in item.summary for item in errors):
        return "state_locked"
    if any(item.summary.startswith("Saved plan") for item in errors):
        return "stale_plan"
    is_text_at_fault = bool(errors) and all(item.file and not item.address for item in errors)
    if otherwise == "plan_failed" and is_text_at_fault and not answer.stream.touched:
        return "invalid_configuration"
    return otherwise


@contextlib.contextmanager
def written_as_text(path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A private file for the engine's words, one call per line."""
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8", errors="replace") as stream:

        def write(text: str) -> None:
            stream.write(f"{text}\n")

        yield path, write
