"""The ``github_actions`` deployer: a workflow of the project's repository deploys, we start and watch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote

from midas_devops.adapters.github_dispatch import Dispatches, Kind, Marker, marker_of
from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.config import GitHubActionsDeploy, Settings
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.pipeline_runs import PipelineRun
from midas_devops.errors import ConfigError, MidasError, RemoteError, ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import (
    DeployErrorCode,
    DeployFailure,
    DeployPlan,
    DeployResult,
    HealthReading,
    Release,
    Running,
)
from midas_devops.ports.iac import Progress
from midas_devops.ports.pipeline import PipelineRuns

_PLACEHOLDERS = ("marker", "commit", "version", "environment", "url")
_QUICK_LOOK = 5.0
"""Seconds that what runs already gets to show that it is healthy."""
_NOT_THE_VERSION: dict[str, DeployErrorCode] = {"cancelled": "cancelled", "timed_out": "timed_out"}


class GitHubActionsDeployer:
    """Implements ``ports.deployer.Deployer``. What runs is the commit of the newest run of ours that ended
    well: a run that somebody started without our marker says nothing.

    A deploy that fails is not undone here; a rollback starts the same workflow with the earlier commit.
    """

    def __init__(
        self,
        environment: str,
        settings: GitHubActionsDeploy,
        *,
        runs: PipelineRuns,
        cancel: Callable[[str], None],
        home: Path,
        url: str = "",
        version_of: Callable[[str], str] = lambda _: "",
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        where = f"environments.{environment}.deploy.inputs"
        templates.check(tuple(settings.inputs.values()), _PLACEHOLDERS, where)
        self._environment = environment
        self._settings = settings
        self._runs = runs
        self._cancel = cancel
        self._note = home / "dispatch.json"
        self._url = url
        self._version_of = version_of
        self._redact = redact

    @classmethod
    def from_settings(
        cls,
        environment: str,
        settings: GitHubActionsDeploy,
        project: Settings,
        environ: Mapping[str, str],
        *,
        root: Path,
        artifacts: Artifacts,
        redact: Callable[[str], str],
        version_of: Callable[[str], str] = lambda _: "",
    ) -> Self:
        """Raises ``ConfigError`` when the repository or the token is missing."""
        from midas_devops.adapters.github_api import GitHubApi
        from midas_devops.adapters.github_runs import GitHubRuns

        if not project.project.repository:
            raise ConfigError(
                f"deploying '{environment}' by GitHub Actions needs the repository",
                hint='Set repository = "owner/name" in [project].',
                location="midas.toml: project.repository",
            )
        token = environ.get(project.tracker.token_env, "")
        if not token:
            raise ConfigError(
                f"deploying '{environment}' by GitHub Actions needs a token in {project.tracker.token_env}",
                hint="Set the variable; the token needs the permission actions: write.",
                location="midas.toml: tracker.token_env",
            )
        api = GitHubApi(project.project.repository, token, project.tracker.api_url)

        def cancel(run_id: str) -> None:
            path = f"/actions/runs/{quote(run_id, safe='')}/cancel"
            api.post(path, {}, f"cancel run {run_id} of {api.repository}", needs="actions: write")

        return cls(
            environment,
            settings,
            runs=GitHubRuns(api, artifacts, root),
            cancel=cancel,
            home=root / ".midas" / "github" / environment,
            url=project.environment(environment).url,
            version_of=version_of,
            redact=redact,
        )

    def plan(self, release: Release) -> DeployPlan:
        """The dispatch and its inputs. Raises ``ToolError`` for a workflow that cannot be started."""
        settings = self._settings
        known = self._runs.workflows()
        named = {settings.workflow, settings.workflow.rsplit("/", 1)[-1]}
        found = next((w for w in known if named & {w.id, w.file, w.file.rsplit("/", 1)[-1]}), None)
        where = f"midas.toml: environments.{self._environment}.deploy.workflow"
        if found is None:
            files = ", ".join(sorted(w.file.rsplit("/", 1)[-1] for w in known)) or "none"
            raise ToolError(
                f"the repository has no workflow '{settings.workflow}'",
                hint=f"It has: {files}.",
                location=where,
            )
        if found.state != "active":
            raise ToolError(
                f"the workflow '{settings.workflow}' is {found.state.replace('_', ' ')}",
                hint="Enable it on GitHub.",
                location=where,
            )
        running = self.status()
        if running is not None and running.commit == release.commit:
            return DeployPlan.stays(release)
        given = [f"{name}={value}" for name, value in settings.inputs.items() if "{marker}" not in value]
        inputs = templates.fill(given, self._values(release))
        minutes = f"{settings.within.total_seconds() / 60:g} min"
        return DeployPlan(
            effects=(
                f"start {settings.workflow} at {settings.ref} with {self._redact(', '.join(inputs))}",
                f"wait up to {minutes} for its run to end well",
            )
        )

    def plan_rollback(self, to: Release) -> DeployPlan:
        """The same workflow with the inputs for the earlier commit."""
        return self.plan(to)

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Start the workflow and wait for it, unless the release runs already. Raises ``RemoteError``."""
        return self._put("deploy", release, progress)

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """The same workflow with the earlier commit."""
        return self._put("rollback", to, progress)

    def status(self) -> Running | None:
        """The commit of the newest run of ours that ended well."""
        newest = self._dispatches().newest_success()
        if newest is None:
            return None
        run, marker = newest
        since = run.updated_at.isoformat() if run.updated_at else ""
        detail = f"run {run.number or run.id}: {run.url}"
        version = self._version_of(marker.commit)
        return Running(commit=marker.commit, version=version, url=self._url, since=since, detail=detail)

    def health(self, progress: Progress) -> HealthReading:
        """``health.url``, or ``health.path`` below the environment's url; not measured without either."""
        return self._health(self._settings.health.within.total_seconds(), progress)

    def url(self) -> str:
        """The configured address; empty when there is none."""
        return self._url

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Logs of the run that put there what runs now."""
        dispatches = self._dispatches()
        newest = dispatches.newest_success()
        return dispatches.logs(newest[0]) if newest else ()

    def _put(self, kind: Kind, release: Release, progress: Progress) -> DeployResult:
        with Interrupts() as interrupts:
            dispatches = self._dispatches(interrupts.check)
            run: PipelineRun | None = None
            try:
                with interrupts.allowed():
                    run, attempt = dispatches.unfinished(kind, release)
                    if run is not None:
                        progress(f"run {run.number or run.id} was started before; it is carried on")
                    else:
                        running = self.status()
                        if running and running.commit == release.commit and self._is_well(progress):
                            progress(f"{release.label} runs already")
                            return DeployResult(serving=_named(running, release))
                        marker = Marker(
                            environment=self._environment,
                            commit=release.commit,
                            run_id=release.run_id,
                            kind=kind,
                            attempt=attempt,
                        )
                        run = self._start(dispatches, marker, release, progress)
                    ended = dispatches.wait(run, self._settings.within.total_seconds(), progress)
                    return self._judged(dispatches, ended, release, progress)
            except KeyboardInterrupt:
                # A run that went on would deploy while somebody believes that nothing does.
                stopped = self._dispatches().cancel(run) if run else None
                return self._failed(dispatches, "cancelled", f"{kind} was cancelled", release, stopped)
            except _NotStartedError as error:
                return self._failed(dispatches, error.code, error.args[0], release, None)

    def _start(
        self, dispatches: Dispatches, marker: Marker, release: Release, progress: Progress
    ) -> PipelineRun:
        settings = self._settings
        values = {**self._values(release), "marker": str(marker)}
        inputs = dict(
            zip(settings.inputs, templates.fill(tuple(settings.inputs.values()), values), strict=True)
        )
        progress(f"starting {settings.workflow} at {settings.ref} for {release.label}")
        try:
            run = dispatches.start(marker, settings.ref, inputs)
        except RemoteError as error:
            started = error.reason in ("unreachable", "timed_out", "unavailable", "unreadable")
            doubt = "; whether it was started is not known, but no run shows it" if started else ""
            raise _NotStartedError(f"{error.message}{doubt}. {error.hint}", "refused") from error
        if run is None:
            raise _NotStartedError(
                f"{settings.workflow} was started, but no run shows the marker {marker}. Its file needs a"
                " line such as 'run-name: Deploy ${{ inputs.marker }}'",
                "timed_out",
            )
        return run

    def _judged(
        self, dispatches: Dispatches, run: PipelineRun, release: Release, progress: Progress
    ) -> DeployResult:
        what = f"run {run.number or run.id} of {self._settings.workflow}"
        if run.status != "completed":
            limit = self._settings.within.total_seconds()
            run = dispatches.cancel(run)
            if run.conclusion != "success":
                ending = "it was cancelled" if run.status == "completed" else "and could not be cancelled"
                message = f"{what} was not done after {limit:.0f} s; {ending}"
                return self._failed(dispatches, "timed_out", message, release, run)
        if run.conclusion != "success":
            code = _NOT_THE_VERSION.get(run.conclusion or "", "start_failed")
            message = f"{what} ended with {run.conclusion}{dispatches.failed_steps(run)}: {run.url}"
            return self._failed(dispatches, code, message, release, run)
        if marker_of(run) is None:
            message = (
                f"{what} ended well, but its name does not show the marker: what runs cannot be told later."
                " Its file needs a line such as 'run-name: Deploy ${{ inputs.marker }}'"
            )
            return self._failed(dispatches, "start_failed", message, release, run)
        running = self.status()
        if running is None or running.commit != release.commit:
            seen = f"commit {running.commit[:12]}" if running else "nothing"
            message = f"{what} ended well, but the newest deployment is of {seen}"
            return self._failed(dispatches, "conflict", message, release, run)
        reading = self.health(progress)
        if reading.healthy is False:
            return self._failed(dispatches, "health_check_failed", reading.detail, release, run)
        dispatches.report(run)
        return DeployResult(serving=_named(running, release), logs=dispatches.logs(run))

    def _failed(
        self,
        dispatches: Dispatches,
        code: DeployErrorCode,
        message: str,
        release: Release,
        run: PipelineRun | None,
    ) -> DeployResult:
        serving: Running | None = None
        kept: tuple[ArtifactRef, ...] = ()
        try:
            running = self.status()
            serving = _named(running, release) if running else None
            kept = dispatches.logs(run) if run else ()
        except MidasError as error:
            message = f"{message}. Then {error.message}"
        if run is not None and run.status == "completed":
            dispatches.report(run)
        failure = DeployFailure(code=code, message=self._redact(message))
        return DeployResult(failure=failure, serving=serving, logs=kept)

    def _is_well(self, progress: Progress) -> bool:
        within = min(_QUICK_LOOK, self._settings.health.within.total_seconds())
        return self._health(within, progress).healthy is not False

    def _health(self, within: float, progress: Progress) -> HealthReading:
        health = self._settings.health
        base = self._url.rstrip("/")
        address = health.url.replace("{url}", base) or (base + health.path if health.path and base else "")
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

    def _values(self, release: Release) -> dict[str, str]:
        return {
            "commit": release.commit,
            "version": release.version,
            "environment": self._environment,
            "url": self._url,
        }

    def _dispatches(self, check: Callable[[], None] = lambda: None) -> Dispatches:
        return Dispatches(
            self._runs,
            self._cancel,
            workflow=self._settings.workflow,
            environment=self._environment,
            note=self._note,
            check=check,
        )


class _NotStartedError(Exception):
    """No run of ours exists."""

    def __init__(self, message: str, code: DeployErrorCode) -> None:
        super().__init__(message)
        self.code = code


def _named(running: Running, release: Release) -> Running:
    same = running.commit == release.commit
    return running.model_copy(update={"version": release.version}) if same else running
