"""The ``command`` deployer: any tool that deploys, says what runs, and rolls back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

from midas_devops.adapters.ask import ask, printable
from midas_devops.adapters.child import Ended, run_to_file
from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import logs, processes, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import exit_words
from midas_devops.config import CommandDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import StorageError, ToolError, UsageError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import DeployFailure, DeployResult, HealthReading, Release, Running
from midas_devops.ports.iac import Progress
from midas_devops.ports.source import Source
from midas_devops.safety.private import private_folder, write_private

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_FULL = 40
_QUICK_LOOK = 5.0
"""Seconds that what runs already gets to show that it is healthy."""
_GRACE = 10.0
_TICK = 0.1

_STATUS = ("environment", "url")
_DEPLOY = ("environment", "version", "commit", "url")
_ROLLBACK = (*_DEPLOY, "to_commit", "to_version")


class CommandDeployer:
    """Deploys by argv lists, run in ``root`` (the project) with ``environ``.

    In ``rollback``, ``{to_commit}`` and ``{to_version}`` are where it goes, ``{commit}`` and ``{version}``
    what runs now; without a ``rollback`` list the earlier release is deployed. ``home`` holds the note of a
    command at work, ``log_folder`` its raw output. ``source`` completes a short hash that ``status`` prints.
    A deploy that fails is not undone here: what to return to is not this tool's to know.

    Raises ``ConfigError`` for an unknown placeholder.
    """

    def __init__(
        self,
        environment: str,
        settings: CommandDeploy,
        *,
        root: Path,
        home: Path,
        artifacts: Artifacts,
        environ: Mapping[str, str],
        url: str = "",
        source: Source | None = None,
        redact: Callable[[str], str] = lambda text: text,
        log_folder: Path | None = None,
    ) -> None:
        where = f"environments.{environment}.deploy"
        templates.check(settings.deploy, _DEPLOY, f"{where}.deploy")
        templates.check(settings.status, _STATUS, f"{where}.status")
        templates.check(settings.rollback, _ROLLBACK, f"{where}.rollback")
        self._environment = environment
        self._settings = settings
        self._root = root
        self._at_work = home / "command.json"
        self._log = (log_folder or logs.private_log_folder(home, environment)) / "command.log"
        self._artifacts = artifacts
        self._environ = dict(environ)
        self._url = url
        self._source = source
        self._redact = redact

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Run ``deploy``, unless ``status`` names this commit. Raises ``ToolError``, ``StorageError``."""
        values = {"commit": release.commit, "version": release.version}
        return self._put("deploy", self._settings.deploy, values, release, progress)

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """Run ``rollback`` (or ``deploy``) for the earlier release, unless it runs already."""
        if not self._settings.rollback:
            return self.deploy(to, progress)
        values = {"to_commit": to.commit, "to_version": to.version}
        return self._put("rollback", self._settings.rollback, values, to, progress)

    def status(self) -> Running | None:
        """The commit that ``status`` prints; None when it prints nothing. Else raises ``ToolError``."""
        argv = templates.fill(self._settings.status, self._values())
        answer = self._ask(argv)
        if not answer:
            return None
        if not _COMMIT.fullmatch(answer):
            raise ToolError(
                f"{argv[0]} must print the commit that runs and nothing else; it printed:"
                f" {self._redact(printable(answer))[:200]}",
                hint=f"correct environments.{self._environment}.deploy.status; other words go to stderr",
            )
        return Running(commit=self._completed(answer.lower()), url=self._url)

    def health(self, progress: Progress) -> HealthReading:
        """``health.url``, or ``health.path`` below the environment's url; not measured without either."""
        return self._health(self._settings.health.within.total_seconds(), progress)

    def url(self) -> str:
        """The configured address; empty when there is none."""
        return self._url

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Output of the last deploy or rollback command."""
        ref = logs.keep(self._log, f"{self._environment}-command.log", self._artifacts)
        return (ref,) if ref is not None else ()

    def _put(
        self,
        what: Literal["deploy", "rollback"],
        template: tuple[str, ...],
        values: dict[str, str],
        release: Release,
        progress: Progress,
    ) -> DeployResult:
        with Interrupts() as interrupts:
            try:
                with interrupts.allowed():
                    self._wait_for_other(interrupts, progress)
                    running = self.status()
                    if running and _same(running, release) and self._is_well(progress):
                        progress(f"{release.version or release.commit[:12]} runs already")
                        return DeployResult(serving=_named(running, release))
                    now = {
                        "commit": running.commit if running else "",
                        "version": running.version if running else "",
                    }
                    argv = templates.fill(template, self._values() | now | values)
                    progress(f"{what} {release.version or release.commit[:12]} with {argv[0]}")
                    try:
                        ended = self._run(what, argv)
                    except ToolError as error:
                        return self._failed("start_failed", f"{error.message} ({error.hint})", release)
                    return self._judged(argv[0], ended, release, progress)
            except KeyboardInterrupt:
                return self._failed("cancelled", f"{what} of {release.version} was cancelled", release)

    def _judged(self, program: str, ended: Ended, release: Release, progress: Progress) -> DeployResult:
        said = logs.last_lines(self._log)
        said = f". It said last: {said}" if said else ""
        if ended.cancelled:
            raise KeyboardInterrupt
        if ended.timed_out:
            limit = self._settings.within.total_seconds()
            return self._failed("timed_out", f"{program} was not done after {limit:.0f} s{said}", release)
        if not ended.ok:
            ending = exit_words(ended.returncode)
            return self._failed("start_failed", f"{program} ended with {ending}{said}", release)
        running = self.status()
        if running is None or not _same(running, release):
            seen = f"commit {running.commit[:12]}" if running else "nothing"
            return self._failed(
                "start_failed", f"{program} ended well, but what runs there is {seen}{said}", release
            )
        reading = self.health(progress)
        if reading.healthy is False:
            return self._failed("health_check_failed", f"{reading.detail}{said}", release)
        return DeployResult(serving=_named(running, release), logs=self.logs())

    def _failed(
        self,
        code: Literal["cancelled", "timed_out", "start_failed", "health_check_failed"],
        message: str,
        release: Release,
    ) -> DeployResult:
        try:
            running = self.status()
        except ToolError as error:
            running = None
            message += f". Then {error.message}"
        failure = DeployFailure(code=code, message=self._redact(message))
        try:
            kept = self.logs()
        except StorageError as error:
            kept = ()
            failure = failure.model_copy(update={"message": f"{failure.message}. {error.message}"})
        return DeployResult(failure=failure, serving=running and _named(running, release), logs=kept)

    def _is_well(self, progress: Progress) -> bool:
        within = min(_QUICK_LOOK, self._settings.health.within.total_seconds())
        return self._health(within, progress).healthy is not False

    def _health(self, within: float, progress: Progress) -> HealthReading:
        health = self._settings.health
        address = health.url.replace("{url}", self._url.rstrip("/"))
        if not address and health.path and self._url:
            address = self._url.rstrip("/") + health.path
        if not address:
            return HealthReading(healthy=None, detail="no health check is configured")
        reading = wait_until_healthy(
            address,
            status=health.status,
            within=timedelta(seconds=within),
            successes=health.successes,
        )
        reading = reading.model_copy(update={"detail": self._redact(reading.detail)})
        progress(f"health of {self._environment}: {reading.detail}")
        return reading

    def _run(self, what: str, argv: list[str]) -> Ended:
        private_folder(self._log.parent)
        private_folder(self._at_work.parent)

        def note(pid: int) -> None:
            # A command outlives us when we are killed. The next call must not start another one beside it.
            at_work = {"pid": pid, "born": processes.birth(pid), "boot_id": processes.boot_id(), "what": what}
            write_private(self._at_work, json.dumps(at_work).encode())

        ended = run_to_file(
            argv,
            cwd=self._root,
            env=self._environ,
            log=self._log,
            timeout=self._settings.within.total_seconds(),
            grace=_GRACE,
            on_start=note,
        )
        self._at_work.unlink(missing_ok=True)
        return ended

    def _wait_for_other(self, interrupts: Interrupts, progress: Progress) -> None:
        """Until a command that an interrupted call of ours started has ended. Raises ``ToolError``."""
        try:
            noted = json.loads(self._at_work.read_bytes())
            pid, born = int(noted["pid"]), str(noted["born"])
            if noted["boot_id"] != processes.boot_id():
                return
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(
                f"could not read whether a command is still at work: {error}",
                hint="look for one with ps, then delete the file",
                location=str(self._at_work),
            ) from error
        deadline = time.monotonic() + self._settings.within.total_seconds()
        told = False
        while born and processes.lives(pid, born):
            interrupts.check()
            if not told:
                progress(f"waiting for process {pid}, the {noted['what']} command of an interrupted call")
                told = True
            if time.monotonic() >= deadline:
                raise ToolError(
                    f"process {pid}, the {noted['what']} command of an interrupted call, does not end",
                    hint="look at it with ps, end it, then try again",
                )
            time.sleep(_TICK)

    def _ask(self, argv: list[str]) -> str:
        try:
            return ask(argv, cwd=self._root, env=self._environ, within=self._settings.within)
        except ToolError as error:
            where = f"environments.{self._environment}.deploy.status"
            message = f"what runs on {self._environment} cannot be told: {self._redact(error.message)}"
            raise ToolError(message, hint=error.hint, location=where) from error

    def _completed(self, commit: str) -> str:
        if len(commit) >= _FULL or self._source is None:
            return commit
        try:
            return self._source.resolve(commit).sha
        except (UsageError, ToolError):
            return commit

    def _values(self) -> dict[str, str]:
        return {"environment": self._environment, "url": self._url}


def _same(running: Running, release: Release) -> bool:
    return release.commit.startswith(running.commit)


def _named(running: Running, release: Release) -> Running:
    if not _same(running, release):
        return running
    return running.model_copy(update={"commit": release.commit, "version": release.version})
