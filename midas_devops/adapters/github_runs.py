"""PipelineRuns on GitHub Actions: runs, jobs, logs and dispatches of one repository."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar, cast, get_args
from urllib.parse import quote

from pydantic import ValidationError

from midas_devops.adapters.github_api import GitHubApi
from midas_devops.adapters.github_errors import unreadable
from midas_devops.config import Settings
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.pipeline_runs import (
    BAD,
    Conclusion,
    PipelineJob,
    PipelineRun,
    RunStatus,
    Workflow,
)
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.pipeline import HostConfig, Triggered
from midas_devops.safety.private import private_folder, project_folder, storage_error

Read = TypeVar("Read")

_READ = "actions: read"
_WRITE = "actions: write"
_RUNNING = {"in_progress": "in_progress", "completed": "completed"}
_DETAILS = "return_run_details"


class GitHubRuns:
    """Implements ``ports.pipeline.PipelineRuns`` for one repository. Connects at first use."""

    def __init__(self, api: GitHubApi, artifacts: Artifacts, root: Path) -> None:
        self._api = api
        self._artifacts = artifacts
        self._root = root

    @classmethod
    def from_settings(
        cls, settings: Settings, environ: Mapping[str, str], artifacts: Artifacts, root: Path
    ) -> Self:
        """Raises ``ConfigError`` when GitHub, the repository or the token is not configured."""
        tracker = settings.tracker
        if tracker.using != "github":
            raise ConfigError(
                "no pipeline host is configured",
                hint='Set using = "github" in [tracker] and repository = "owner/name" in [project].',
                location="midas.toml: tracker.using",
            )
        if not settings.project.repository:
            raise ConfigError(
                "watching pipelines on GitHub needs the repository",
                hint='Set repository = "owner/name" in [project].',
                location="midas.toml: project.repository",
            )
        token = environ.get(tracker.token_env, "")
        if not token:
            raise ConfigError(
                f"watching pipelines on GitHub needs a token in {tracker.token_env}",
                hint="Set the variable; reading needs the permission actions: read.",
                location="midas.toml: tracker.token_env",
            )
        return cls(GitHubApi(settings.project.repository, token, tracker.api_url), artifacts, root)

    def default_branch(self) -> str:
        found = self._api.get("", "look at the repository", needs="metadata: read")
        return str(found.get("default_branch") or "") if isinstance(found, dict) else ""

    def workflows(self) -> tuple[Workflow, ...]:
        attempted = f"list the workflows of {self._api.repository}"
        pages = self._api.pages("/actions/workflows", "workflows", attempted, needs=_READ)
        return tuple(self._read(attempted, _workflow, one) for one in pages)

    def runs(
        self, *, workflow: str = "", branch: str = "", since: datetime | None = None, limit: int = 100
    ) -> tuple[PipelineRun, ...]:
        attempted = f"list the runs of {self._api.repository}"
        path = f"/actions/workflows/{quote(workflow, safe='')}/runs" if workflow else "/actions/runs"
        asked: dict[str, str | int] = {"exclude_pull_requests": "true"}
        if branch:
            asked["branch"] = branch
        if since:
            asked["created"] = f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        found: list[PipelineRun] = []
        if limit < 1:
            return ()
        for one in self._api.pages(path, "workflow_runs", attempted, needs=_READ, parameters=asked):
            found.append(self._read(attempted, _run, one))
            if len(found) == limit:
                break
        return tuple(found)

    def run(self, run_id: str) -> PipelineRun:
        attempted = f"read run {run_id} of {self._api.repository}"
        found = self._api.get(f"/actions/runs/{quote(run_id, safe='')}", attempted, needs=_READ)
        return self._read(attempted, _run, found)

    def jobs(self, run: PipelineRun) -> tuple[PipelineJob, ...]:
        attempted = f"list the jobs of run {run.id} of {self._api.repository}"
        pages = self._api.pages(
            f"/actions/runs/{quote(run.id, safe='')}/jobs",
            "jobs",
            attempted,
            needs=_READ,
            parameters={"filter": "all"},
        )
        found = [self._read(attempted, _job, one) for one in pages]
        return tuple(sorted(found, key=lambda job: job.attempt))

    def log(self, job: PipelineJob) -> ArtifactRef:
        # Beside the private artifacts: what a killed download leaves is pruned with them.
        folder = private_folder(project_folder(self._root) / "artifacts" / "private" / "incoming")
        path = f"/actions/jobs/{quote(job.id, safe='')}/logs"
        try:
            with tempfile.NamedTemporaryFile(dir=folder) as file:
                self._api.download(path, file, f"fetch the log of job {job.id} ({job.name})", needs=_READ)
                file.flush()
                return self._artifacts.put_file(Path(file.name), f"{job.name}.log", private=True)
        except OSError as error:
            raise storage_error("keep a job's log", folder, error) from error

    def trigger(self, workflow: str, *, branch: str, inputs: Mapping[str, str] | None = None) -> Triggered:
        attempted = f"start {workflow} on {branch} in {self._api.repository}"
        path = f"/actions/workflows/{quote(workflow, safe='')}/dispatches"
        body: dict[str, Any] = {"ref": branch, "inputs": dict(inputs or {})}
        try:
            told = self._api.post(path, {**body, _DETAILS: True}, attempted, needs=_WRITE)
        except RemoteError as refused:
            if refused.reason != "refused" or _DETAILS not in refused.message:
                raise
            # An older GitHub Enterprise Server refuses the key and has started nothing.
            told = self._api.post(path, body, attempted, needs=_WRITE)
        details = told if isinstance(told, dict) else {}
        return Triggered(
            workflow=workflow,
            branch=branch,
            run_id=str(details.get("workflow_run_id") or ""),
            url=str(details.get("html_url") or ""),
        )

    def config(self) -> HostConfig:
        from midas_devops.adapters.github_host_config import read_host_config

        def read(branch: object) -> HostConfig:
            return read_host_config(self._api, str(branch), self.workflows)

        return self._read(f"read the settings of {self._api.repository}", read, self.default_branch())

    def _read(self, attempted: str, read: Callable[[Any], Read], given: object) -> Read:
        try:
            return read(given)
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as odd:
            seen = f"{type(odd).__name__} in an item"
            raise unreadable(attempted, self._api.api_url, seen) from odd


def _workflow(given: Mapping[str, Any]) -> Workflow:
    return Workflow(
        id=str(given["id"]),
        name=str(given.get("name") or ""),
        file=str(given.get("path") or ""),
        state=str(given.get("state") or "active"),
        url=str(given.get("html_url") or ""),
    )


def _run(given: Mapping[str, Any]) -> PipelineRun:
    status = _status(given)
    file = str(given.get("path") or "").partition("@")[0]
    return PipelineRun(
        id=str(given["id"]),
        workflow_id=str(given["workflow_id"]),
        workflow=str(given.get("name") or file),
        file=file,
        number=int(given.get("run_number") or 0),
        attempt=int(given.get("run_attempt") or 1),
        status=status,
        conclusion=_conclusion(given) if status == "completed" else None,
        branch=str(given.get("head_branch") or ""),
        commit=str(given.get("head_sha") or ""),
        event=str(given.get("event") or ""),
        title=str(given.get("display_title") or ""),
        created_at=_time(given["created_at"]),
        started_at=_time(given.get("run_started_at")),
        updated_at=_time(given.get("updated_at")),
        url=str(given.get("html_url") or ""),
    )


def _job(given: Mapping[str, Any]) -> PipelineJob:
    status = _status(given)
    failed = (
        str(step.get("name") or "") for step in given.get("steps") or () if step.get("conclusion") in BAD
    )
    return PipelineJob(
        id=str(given["id"]),
        run_id=str(given["run_id"]),
        name=str(given.get("name") or ""),
        attempt=int(given.get("run_attempt") or 1),
        status=status,
        conclusion=_conclusion(given) if status == "completed" else None,
        commit=str(given.get("head_sha") or ""),
        created_at=_time(given.get("created_at")),
        started_at=_time(given.get("started_at")),
        completed_at=_time(given.get("completed_at")),
        failed_step=next(failed, ""),
        url=str(given.get("html_url") or ""),
    )


def _status(given: Mapping[str, Any]) -> RunStatus:
    """``waiting``, ``requested`` and ``pending`` have not begun either."""
    return cast(RunStatus, _RUNNING.get(str(given.get("status")), "queued"))


def _conclusion(given: Mapping[str, Any]) -> Conclusion:
    """A word that is not known here yet says nothing about the code."""
    said = given.get("conclusion")
    return cast(Conclusion, said) if said in get_args(Conclusion) else "neutral"


def _time(given: object) -> Any:
    # Parsed by the value object; an empty one is none.
    return given or None
