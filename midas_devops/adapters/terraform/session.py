"""Engine commands in their order: ``init`` when it is needed, then the command; and the state they act on."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from midas_devops.adapters.terraform.backend import Backend, backend_of
from midas_devops.adapters.terraform.commands import Answer, Commands, failure_of
from midas_devops.adapters.terraform.export import export_commit
from midas_devops.adapters.terraform.program import Program, find_program, version_of
from midas_devops.adapters.terraform.state import StateFacts, read_state
from midas_devops.adapters.terraform.workspace import Place, Workspace
from midas_devops.config import Infrastructure
from midas_devops.errors import ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import IacFailure, Progress

_COMMON = ["-input=false", "-no-color"]


def silent(_line: str) -> None:
    """Progress that nobody watches."""


class Session:
    """One engine at work on one configuration."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Infrastructure,
        artifacts: Artifacts,
        environ: Mapping[str, str],
        init: Sequence[str] = (),
        init_identity: str = "",
    ) -> None:
        """``init``: further arguments of ``init``; ``init_identity`` changes with what they stand for."""
        self.workspace = workspace
        self._init = list(init)
        self._init_identity = init_identity
        self._settings = settings
        self._artifacts = artifacts
        self._environ = environ

    @cached_property
    def program(self) -> Program:
        return find_program(self._settings.engine, self._environ)

    @cached_property
    def commands(self) -> Commands:
        timeout = self._settings.timeout.total_seconds()
        private = self.workspace.private
        return Commands(self.program, self._environ, self._artifacts, private, timeout)

    @property
    def version(self) -> str:
        return version_of(self.program, self._environ, self.workspace.engines)

    def place(self, commit: str) -> Place:
        """Where to work: in the project, or in an export of ``commit``."""
        if not commit:
            return self.workspace.in_place()
        place, tree = self.workspace.copy_of(commit)
        export_commit(place, commit, tree)
        return place

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder for plan files and documents, gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.workspace.private))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        place: Place,
        command: str,
        arguments: list[str],
        progress: Progress,
        *,
        log: Path | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> Answer | IacFailure:
        """One command that speaks the JSON stream, after ``init`` where that is needed.

        Whether it is, the engine knows best: a warm configuration is not initialised until it says so.
        """
        if failure := self.initialise(place, progress):
            return failure
        options = [*_COMMON, "-json", *self.backend(place).arguments]
        line = [command, *options, *arguments]
        answer = self.commands.stream(place, line, progress, log=log, on_start=on_start)
        if not answer.stream.needs_init:
            return answer
        if failure := self.initialise(place, progress, again=True):
            return failure
        return self.commands.stream(place, line, progress, log=log, on_start=on_start)

    def validate(self, place: Place, progress: Progress) -> Answer | IacFailure:
        """``validate``, after ``init`` where that is needed."""
        if failure := self.initialise(place, progress):
            return failure
        with self.scratch() as scratch:
            answer = self.commands.validate(place, scratch / "validate.json")
            if not answer.stream.needs_init:
                return answer
            if failure := self.initialise(place, progress, again=True):
                return failure
            return self.commands.validate(place, scratch / "validate.json")

    def initialise(self, place: Place, progress: Progress, *, again: bool = False) -> IacFailure | None:
        """Fetch modules and providers and set the backend up, unless that was done before.

        A workspace that is not there is a failure: the engine would make one by merely looking.
        """
        return self._set_up(place, progress, again=again) or self._no_workspace(place)

    def _set_up(self, place: Place, progress: Progress, *, again: bool = False) -> IacFailure | None:
        engine = f"{self.program.identity}{self._init_identity}"
        if not again and self.workspace.is_initialised(place, engine):
            return None
        progress(f"initialising {place.real.relative}")
        answer = self.commands.stream(place, ["init", *_COMMON, *self._init], progress)
        if not answer.ok:
            return failure_of(answer, "initialising", "init_failed")
        self.workspace.set_initialised(place, engine)
        return None

    def create_workspace(self, place: Place, progress: Progress) -> bool:
        """Make the workspace unless it is there; whether it was made. Raises ``ToolError``."""
        failure = self._set_up(place, progress) or self._no_workspace(place)
        if failure is None:
            return False
        name = self.backend(place).workspace
        if failure.code == "workspace_missing":
            with self.scratch() as scratch:
                answer = self.commands.document(
                    place, ["workspace", "new", "-no-color", name], scratch / "new"
                )
            # The engine would go on to use it wherever nothing else is said.
            (place.data / "environment").unlink(missing_ok=True)
            failure = None if answer.ok else failure_of(answer, "making the workspace", "workspace_missing")
        if failure is not None:
            raise ToolError(
                f"the workspace '{name}' was not made: {failure.message}",
                hint="check the backend and what it allows you",
                location=place.real.relative,
            )
        return True

    def backend(self, place: Place) -> Backend:
        """Where the state lies, once it is initialised."""
        return backend_of(place, self._environ)

    def _no_workspace(self, place: Place) -> IacFailure | None:
        backend = self.backend(place)
        name = backend.workspace
        missing = IacFailure(
            code="workspace_missing",
            message=f"the workspace '{name}' of {place.real.relative} is not there; nothing was done",
        )
        if not backend.has_own_workspace or self.workspace.has_seen(place, name):
            return None
        if backend.local_state is not None:
            return None if backend.local_state.parent.is_dir() else missing
        with self.scratch() as scratch:
            listed = scratch / "workspaces"
            answer = self.commands.document(place, ["workspace", "list", "-no-color"], listed)
            if not answer.ok:
                return failure_of(answer, "looking for the workspace", "init_failed")
            names = [line.lstrip("* ").strip() for line in listed.read_text("utf-8", "replace").splitlines()]
        if name not in names:
            return missing
        self.workspace.note_seen(place, name)
        return None

    def state_bytes(self, place: Place) -> bytes:
        """The state as the backend has it; empty when there is none yet. Raises ``ToolError``."""
        backend = self._initialised_backend(place)
        if backend.local_state is None:
            return self._pulled(place)
        try:
            return backend.local_state.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ToolError(
                f"the state cannot be read: {error.strerror or error}",
                hint="check the owner and mode of the file",
                location=str(backend.local_state),
            ) from error

    def state(self, place: Place) -> StateFacts:
        """What the state says now. Raises ``ToolError`` when that cannot be told."""
        source, data = place.real.relative, self.state_bytes(place)
        workspace = self.backend(place).identity_workspace
        facts = read_state(data, source, workspace)
        return read_state(self._pulled(place), source, workspace) if facts.encrypted else facts

    def _initialised_backend(self, place: Place) -> Backend:
        if failure := self.initialise(place, silent):
            raise ToolError(
                f"the state of {place.real.relative} cannot be read: {failure.message}",
                hint="see the engine's log, and try `init` in this folder",
                location=place.real.relative,
            )
        return self.backend(place)

    def _pulled(self, place: Place) -> bytes:
        with self.scratch() as scratch:
            into = scratch / "state.json"
            answer = self.commands.document(place, ["state", "pull"], into)
            if not answer.ok:
                failure = failure_of(answer, "reading the state", "unreadable_state")
                raise ToolError(failure.message, hint="check the backend", location=place.real.relative)
            return into.read_bytes()
