"""PipelineRuns on Jenkins: builds of one job, or of every job in one folder or multibranch project."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote

from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.adapters.jenkins_builds import (
    BUILD_TREE,
    failed_stage,
    read_build,
    read_job,
    read_workflow,
    workflow_tree,
)
from midas_devops.config import Settings
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.pipeline_runs import BAD, PipelineJob, PipelineRun, Workflow
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.pipeline import HostConfig, Triggered
from midas_devops.safety.private import private_folder, project_folder, storage_error

PAGE = 100
"""Builds per request."""


class JenkinsRuns:
    """Implements ``ports.pipeline.PipelineRuns``; a run's id is ``folder/job#number``. Lazy."""

    def __init__(self, api: JenkinsApi, job: str, artifacts: Artifacts, root: Path) -> None:
        self._api = api
        self._job = job
        self._artifacts = artifacts
        self._root = root

    @classmethod
    def from_settings(
        cls, settings: Settings, environ: Mapping[str, str], artifacts: Artifacts, root: Path
    ) -> Self:
        """Raises ``ConfigError`` when Jenkins, the user or the token is not configured."""
        api = JenkinsApi.from_settings(settings, environ)
        if settings.jenkins is None:  # told by the line above
            raise ConfigError("no Jenkins is configured")
        return cls(api, settings.jenkins.job, artifacts, root)

    def default_branch(self) -> str:
        """What the job clones; empty for a multibranch project, and where the user may not look."""
        from midas_devops.adapters.jenkins_config import cloned_branch

        return cloned_branch(self._api, self._job)[0]

    def workflows(self) -> tuple[Workflow, ...]:
        found = self._api.read(job_path(self._job), f"look at the job {self._job}", tree=workflow_tree())
        return tuple(self._below(found))

    def runs(
        self, *, workflow: str = "", branch: str = "", since: datetime | None = None, limit: int = 100
    ) -> tuple[PipelineRun, ...]:
        if limit < 1:
            return ()
        jobs = [self._workflow(workflow)] if workflow else list(self.workflows())
        builds = heapq.merge(*map(self._builds, jobs), key=lambda run: run.created_at, reverse=True)
        found: list[PipelineRun] = []
        for run in builds:
            if since and run.created_at < since:
                break
            if not branch or run.branch == branch:
                found.append(run)
            if len(found) == limit:
                break
        return tuple(found)

    def run(self, run_id: str) -> PipelineRun:
        attempted = f"read build {run_id}"
        name, path = self._place(run_id, attempted)
        found = self._api.read(path, attempted, tree=BUILD_TREE)
        return read_build(self._api, attempted, self._workflow(name), found)

    def jobs(self, run: PipelineRun) -> tuple[PipelineJob, ...]:
        stage = ""
        if run.conclusion in BAD:
            attempted = f"list the stages of build {run.id}"
            _, path = self._place(run.id, attempted)
            try:
                stage = failed_stage(self._api.read(f"{path}wfapi/describe/", attempted))
            except RemoteError as refused:
                # The plugin that tells stages is optional, and says nothing of a build that is no pipeline.
                if refused.reason not in ("not_found", "unreadable"):
                    raise
        return (read_job(run, stage),)

    def log(self, job: PipelineJob) -> ArtifactRef:
        """What is there now: a build that still runs is not waited for."""
        # Beside the private artifacts: what a killed download leaves is pruned with them.
        folder = private_folder(project_folder(self._root) / "artifacts" / "private" / "incoming")
        attempted = f"fetch the log of build {job.run_id}"
        try:
            with tempfile.NamedTemporaryFile(dir=folder) as file:
                for _ in self._text(job.run_id, cast(BinaryIO, file), attempted):
                    pass
                file.flush()
                name = f"{job.name.replace('/', '-')}.log"
                return self._artifacts.put_file(Path(file.name), name, private=True)
        except OSError as error:
            raise storage_error("keep a build's log", folder, error) from error

    def trigger(self, workflow: str, *, branch: str, inputs: Mapping[str, str] | None = None) -> Triggered:
        from midas_devops.adapters.jenkins_trigger import JenkinsTrigger

        return JenkinsTrigger(self._api).trigger(workflow or self._job, branch, dict(inputs or {}))

    def stop(self, run_id: str) -> PipelineRun:
        """Ask a build to stop; the build as it is right after. One that has ended stays as it is."""
        attempted = f"stop build {run_id}"
        _, path = self._place(run_id, attempted)
        self._api.post(f"{path}stop", attempted)
        return self.run(run_id)

    def config(self) -> HostConfig:
        from midas_devops.adapters.jenkins_config import read_host_config

        return read_host_config(self._api, self._job, self.workflows)

    def _text(self, run_id: str, into: BinaryIO, attempted: str) -> Iterator[int]:
        """Each piece as Jenkins has it, until the end or until nothing new is there."""
        _, path = self._place(run_id, attempted)
        start, more = 0, True
        while more:
            try:
                size, more = self._api.append(f"{path}logText/progressiveText", into, attempted, start=start)
            except RemoteError as refused:
                if refused.reason != "not_found":
                    raise
                raise self._api.failed(attempted, "gone", "Jenkins no longer has it") from refused
            if size <= start:
                return
            start = size
            yield size

    def _builds(self, workflow: Workflow) -> Iterator[PipelineRun]:
        """Newest first, page by page as they are asked for."""
        attempted = f"list the builds of {workflow.id}"
        first = 0
        while True:
            tree = f"allBuilds[{BUILD_TREE}]{{{first},{first + PAGE}}}"
            builds = self._api.read(job_path(workflow.id), attempted, tree=tree).get("allBuilds")
            if not isinstance(builds, list):
                raise self._api.failed(attempted, "unreadable", "no list of builds")
            for build in builds:
                yield read_build(self._api, attempted, workflow, build)
            if len(builds) < PAGE:
                return
            first += PAGE

    def _below(self, found: Mapping[str, Any]) -> Iterator[Workflow]:
        inner = found.get("jobs")
        if isinstance(inner, list):
            for one in inner:
                if isinstance(one, dict):
                    yield from self._below(one)
            return
        yield read_workflow(self._api, f"look at the job {self._job}", found)

    def _workflow(self, name: str) -> Workflow:
        """By its full name, or as a branch of a multibranch project: ``feature/x``."""
        attempted = f"look at the job {name}"
        tree = "_class,name,fullName,buildable"
        try:
            found = self._api.read(job_path(name), attempted, tree=tree)
        except RemoteError as refused:
            if refused.reason != "not_found" or name.startswith(self._job):
                raise
            within = f"{self._job}/{quote(name, safe='')}"
            found = self._api.read(job_path(within), attempted, tree=tree)
        return read_workflow(self._api, attempted, found)

    def _place(self, run_id: str, attempted: str) -> tuple[str, str]:
        name, _, number = run_id.rpartition("#")
        if not name or not number.isdecimal():
            raise self._api.failed(
                attempted, "not_found", "it is no build's id", "A build's id is folder/job#number."
            )
        return name, f"{job_path(name)}{number}/"
