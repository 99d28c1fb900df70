"""The ``command`` deployer: any tool that deploys, says what runs, switches traffic, and rolls back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from midas_devops.adapters.ask import ask, printable
from midas_devops.adapters.canary import Position, PositionFile, effects
from midas_devops.adapters.command_change import CommandChange, is_release, named
from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import logs, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.config import CanaryStep, CommandDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import StorageError, ToolError, UsageError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import (
    DeployFailure,
    DeployPlan,
    DeployResult,
    HealthReading,
    Release,
    Running,
)
from midas_devops.ports.iac import Progress
from midas_devops.ports.source import Source

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_FULL = 40

_URL = ("environment",)
_STATUS = ("environment", "url")
_DEPLOY = ("environment", "version", "commit", "url")
_ROLLBACK = (*_DEPLOY, "to_commit", "to_version")
_SWITCH = (*_DEPLOY, "weight")


class CommandDeployer:
    """Deploys by argv lists, run in ``root`` (the project) with ``environ``.

    In ``rollback``, ``{to_commit}`` and ``{to_version}`` are where it goes, ``{commit}`` and ``{version}``
    what runs now; without a ``rollback`` list the earlier release is deployed. ``home`` holds the notes of a
    command at work and of a version that is on its way up, ``log_folder`` raw output. ``source`` completes a
    short hash that ``status`` prints, ``version_of`` knows what people call a commit. A deploy that fails is
    not undone here: what to return to is not this tool's to know. With ``switch`` what served before is still
    there, and gets all traffic again.

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
        version_of: Callable[[str], str] = lambda _: "",
        redact: Callable[[str], str] = lambda text: text,
        log_folder: Path | None = None,
    ) -> None:
        for key, known in {
            "deploy": _DEPLOY,
            "status": _STATUS,
            "rollback": _ROLLBACK,
            "url": _URL,
            "switch": _SWITCH,
            "analysis": _SWITCH,
        }.items():
            templates.check(getattr(settings, key), known, f"environments.{environment}.deploy.{key}")
        self.environment = environment
        self.settings = settings
        self.root = root
        self.home = home
        self.environ = dict(environ)
        self.log = (log_folder or logs.private_log_folder(home, environment)) / "command.log"
        self.redact = redact
        self._artifacts = artifacts
        self._url = url
        self._source = source
        self._version_of = version_of

    def plan(self, release: Release) -> DeployPlan:
        """The command lines that would be run, in order. Raises ``ToolError``."""
        return self._planned(release, self._way_up(release, self.settings.canary))

    def plan_rollback(self, to: Release) -> DeployPlan:
        """The ``rollback`` command line; without one those of a deploy, which has no steps then."""
        if self.settings.rollback:
            return self._planned(to, [f"run {shlex.join(self.rollback_argv(to))}"])
        return self._planned(to, self._way_up(to, ()))

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Run ``deploy`` (and ``switch``), unless ``status`` names this commit already.

        Raises ``ToolError``, ``StorageError``.
        """
        with Interrupts() as interrupts:
            return CommandChange(self, interrupts, progress).deploy(release)

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """Run ``rollback`` (or ``deploy`` and one ``switch``) for the earlier release, unless it runs."""
        with Interrupts() as interrupts:
            return CommandChange(self, interrupts, progress).rollback(to)

    def status(self) -> Running | None:
        """The commit that ``status`` prints; None when it prints nothing. Else raises ``ToolError``."""
        argv = self.filled(self.settings.status)
        answer = self._ask(argv, "status", "what runs on")
        if not answer:
            return None
        if not _COMMIT.fullmatch(answer):
            raise ToolError(
                f"{argv[0]} must print the commit that runs and nothing else; it printed:"
                f" {self.redact(printable(answer))[:200]}",
                hint=f"correct environments.{self.environment}.deploy.status; other words go to stderr",
            )
        commit = self._completed(answer.lower())
        position = self._position()
        on_its_way = position is not None and position.commit.startswith(commit)
        return Running(commit=commit, version=self._version_of(commit), url=self.url(), unfinished=on_its_way)

    def health(self, progress: Progress) -> HealthReading:
        """``health.url``, or ``health.path`` below the environment's url; not measured without either."""
        return self.healthy_within(self.settings.health.within.total_seconds(), progress)

    def url(self) -> str:
        """The configured address, or what ``url`` prints; empty when it prints no http(s) address."""
        try:
            return self._url or self._printed_url()
        except ToolError:
            return ""

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Output of the last deploy or rollback command."""
        ref = logs.keep(self.log, f"{self.environment}-command.log", self._artifacts)
        return (ref,) if ref is not None else ()

    def failed(self, failure: DeployFailure, release: Release) -> DeployResult:
        """The failure, with what serves now."""
        try:
            running = self.status()
        except ToolError as error:
            running = None
            failure = failure.model_copy(update={"message": f"{failure.message}. Then {error.message}"})
        kept: tuple[ArtifactRef, ...] = ()
        try:
            kept = self.logs()
        except StorageError as error:
            failure = failure.model_copy(update={"message": f"{failure.message}. {error.message}"})
        failure = failure.model_copy(update={"message": self.redact(failure.message)})
        return DeployResult(failure=failure, serving=running and named(running, release), logs=kept)

    def healthy_within(self, seconds: float, progress: Progress) -> HealthReading:
        """As :meth:`health`, with another patience."""
        health = self.settings.health
        if not (health.url or health.path):
            return HealthReading(healthy=None, detail="no health check is configured")
        url = ""
        if "{url}" in health.url or not health.url:
            try:
                url = (self._url or self._printed_url()).rstrip("/")
            except ToolError as error:
                return HealthReading(healthy=None, detail=self.redact(error.message))
            if not url:
                return HealthReading(healthy=None, detail=f"the address of {self.environment} is not known")
        reading = wait_until_healthy(
            health.url.replace("{url}", url) or url + health.path,
            status=health.status,
            within=timedelta(seconds=seconds),
            successes=health.successes,
        )
        reading = reading.model_copy(update={"detail": self.redact(reading.detail)})
        progress(f"health of {self.environment}: {reading.detail}")
        return reading

    def analyse(self, release: Release, weight: int) -> None:
        """Ask ``analysis`` about a release at a weight. Raises ``ToolError`` when it is not good enough."""
        argv = self.filled(self.settings.analysis, release, weight=str(weight))
        self._ask(argv, "analysis", f"{release.label} is not good enough for")

    def filled(self, template: tuple[str, ...], release: Release | None = None, **more: str) -> list[str]:
        """An argv with its placeholders replaced."""
        values = {"environment": self.environment, **more}
        if any("{url}" in word for word in template):
            values["url"] = self.url()
        if release is not None:
            values = {"commit": release.commit, "version": release.version} | values
        return templates.fill(template, values)

    def rollback_argv(self, to: Release) -> list[str]:
        """The ``rollback`` list filled with where it goes and what runs now. Raises ``ToolError``."""
        running = self.status()
        now = {"commit": running.commit if running else "", "version": running.version if running else ""}
        return self.filled(self.settings.rollback, to, to_commit=to.commit, to_version=to.version, **now)

    def _planned(self, release: Release, way: Sequence[str]) -> DeployPlan:
        first, position = [], self._position()
        if position is not None and position.commit != release.commit:
            other = release.model_copy(update={"commit": position.commit, "version": position.version})
            down = shlex.join(self.filled(self.settings.switch, other, weight="0"))
            first = [f"take {other.label} out of the traffic: run {down}"]
        running = self.status()
        if running is not None and is_release(running, release) and not running.unfinished:
            way = DeployPlan.stays(release).effects
        # A script among the words keeps its breaks, and an effect is one line.
        lines = (self.redact(line).replace("\n", "\\n") for line in (*first, *way))
        return DeployPlan(effects=tuple(lines))

    def _way_up(self, release: Release, steps: Sequence[CanaryStep]) -> list[str]:
        argv = shlex.join(self.filled(self.settings.deploy, release))
        if not self.settings.switch:
            return [f"run {argv}"]
        position = self._position()
        begin = position.step if position is not None and position.commit == release.commit else 0
        beside = [] if begin else [f"run {argv}; what serves now goes on"]
        checked_by = self.settings.analysis[0] if self.settings.analysis else "its health"
        return [*beside, *effects(steps, release.label, checked_by, begin)]

    def _printed_url(self) -> str:
        if not self.settings.url:
            return ""
        printed = self._ask(self.filled(self.settings.url), "url", "the address of")
        try:
            parts = urlsplit(printed)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not printed.split()[1:]
        except ValueError:
            usable = False
        if not usable:
            raise ToolError(
                f"{self.settings.url[0]} must print one http or https address; it printed:"
                f" {self.redact(printable(printed))[:200]}",
                hint=f"correct environments.{self.environment}.deploy.url; other words go to stderr",
            )
        return printed

    def _ask(self, argv: list[str], key: str, what: str) -> str:
        try:
            return ask(argv, cwd=self.root, env=self.environ, within=self.settings.within)
        except ToolError as error:
            where = f"environments.{self.environment}.deploy.{key}"
            told = "" if key == "analysis" else " cannot be told"
            message = f"{what} {self.environment}{told}: {self.redact(error.message)}"
            raise ToolError(message, hint=error.hint, location=where) from error

    def _position(self) -> Position | None:
        """Of a version that is on its way up."""
        try:
            return PositionFile(self.home / "canary.json").load() if self.settings.switch else None
        except StorageError as error:
            raise ToolError(error.message, hint=error.hint, location=error.location) from error

    def _completed(self, commit: str) -> str:
        if len(commit) >= _FULL or self._source is None:
            return commit
        try:
            return self._source.resolve(commit).sha
        except (UsageError, ToolError):
            return commit
