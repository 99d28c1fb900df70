"""From a commit to a folder that can be started: export, build, mark as complete."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from midas_devops.adapters.child import run_to_file
from midas_devops.adapters.local import logs, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import Journal, StepFailedError, exit_words
from midas_devops.adapters.local.target import Target
from midas_devops.errors import ToolError, UsageError
from midas_devops.safety.private import private_folder

_GRACE = 5.0
"""Seconds that an interrupted build gets to end by itself."""
_NO_ROOM = 1 << 20
"""Free bytes below which a failed build is put down to the full disk."""


class Building:
    """Makes release folders for one change."""

    def __init__(self, target: Target, journal: Journal, interrupts: Interrupts) -> None:
        self._target = target
        self._journal = journal
        self._interrupts = interrupts

    def folder_of(self, commit: str, version: str, *, way_back: bool = False) -> str:
        """Name of the intact folder of this commit, made now when there is none.

        Nothing interrupts it on the ``way_back``. Raises ``StepFailedError``, ``StorageError``,
        ``KeyboardInterrupt``; nothing is left then.
        """
        releases, serving = self._target.releases, self._journal.state.serving
        if ready := releases.ready(commit):
            self._journal.tell(f"release {commit[:12]} is there already")
            return ready
        with contextlib.nullcontext() if way_back else self._interrupts.allowed():
            return releases.make(
                commit,
                write=lambda folder: self._export(commit, folder),
                build=lambda folder: self._build(commit, version, folder),
                in_use=[serving.folder] if serving is not None else [],
            )

    def _export(self, commit: str, folder: Path) -> None:
        self._journal.tell(f"export {commit[:12]}")
        try:
            self._target.source.export(commit, folder)
        except (ToolError, UsageError) as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise StepFailedError("source_unavailable", error.message + hint) from error

    def _build(self, commit: str, version: str, folder: Path) -> None:
        settings, services = self._target.settings, self._target.services
        if not settings.build:
            return
        self._journal.tell(f"build {version or commit[:12]} with {settings.build[0]}")
        mark = services.mark()
        log = private_folder(services.logs) / f"build-{mark[-8:]}.log"
        limit = settings.build_within.total_seconds()
        try:
            ended = run_to_file(
                templates.fill(settings.build, self._target.values(commit, version, settings.port)),
                cwd=folder,
                env=services.environment(mark),
                log=log,
                timeout=limit,
                grace=_GRACE,
            )
        except ToolError as error:
            raise StepFailedError("build_failed", f"{error.message} ({error.hint})") from error
        said = self._journal.said(log)
        name = f"{self._target.environment}-{version or commit[:12]}-build.log"
        self._journal.keep(lambda: logs.keep(log, name, self._target.artifacts))
        log.unlink(missing_ok=True)
        # What a build leaves in sessions of its own is as stray as what an interrupted call leaves.
        services.stop_strays(self._journal.serving_mark, self._target.stop_within)
        if ended.cancelled:
            raise KeyboardInterrupt
        if ended.timed_out:
            raise StepFailedError(
                "timed_out", f"the build of {version} was not done after {limit:.0f} s{said}"
            )
        if not ended.ok:
            full = shutil.disk_usage(folder).free < _NO_ROOM
            raise StepFailedError(
                "disk_full" if full else "build_failed",
                f"the build of {version} ended with {exit_words(ended.returncode)}{said}",
            )
