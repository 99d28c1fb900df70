"""Create or update the job that runs a proposed Jenkinsfile. A job that is not ours is never touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Self

from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.adapters.jenkins_job import JobDefinition, written_as
from midas_devops.config import Settings
from midas_devops.errors import BlockedError, RemoteError
from midas_devops.ports.pipeline import ProposalResult, ProposedJob


class JenkinsJobs:
    """Implements ``ports.pipeline.PipelineJobs``. Raises ``RemoteError``, ``BlockedError``.

    The user and the token are asked for only when a job is looked at: other work needs neither.
    """

    def __init__(self, connect: Callable[[], JenkinsApi]) -> None:
        self._connect = connect

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        return cls(lambda: JenkinsApi.from_settings(settings, environ))

    @cached_property
    def _api(self) -> JenkinsApi:
        return self._connect()

    def check(self, job: ProposedJob) -> None:
        if self.find(job) is None:
            self._standing(job)

    def find(self, job: ProposedJob) -> ProposalResult | None:
        text = self._config(job.name)
        if text is None or JobDefinition.from_xml(text) != _definition(job):
            return None
        return ProposalResult(changed=False, url=self._url(job), detail=f"the job {job.name} stands there")

    def set_up(self, job: ProposedJob) -> ProposalResult:
        if found := self.find(job):
            return found
        standing = self._standing(job)
        xml = _definition(job).to_xml()
        if standing:
            self._api.post(f"{job_path(job.name)}config.xml", f"update the job {job.name}", xml=xml)
        else:
            self._create(job, xml)
        return ProposalResult(
            changed=True,
            url=self._url(job),
            detail=f"the job {job.name} was {'updated' if standing else 'created'}",
        )

    def _create(self, job: ProposedJob, xml: str) -> None:
        folder, _, name = job.name.rpartition("/")
        attempted = f"create the job {job.name}"
        try:
            self._api.post(f"{job_path(folder)}createItem", attempted, params={"name": name}, xml=xml)
        except RemoteError as refused:
            if refused.reason == "refused" and self._config(job.name) is not None:
                # Somebody was faster: what they made is looked at as any other.
                raise BlockedError(
                    f"the job {job.name} was created by somebody meanwhile: it is never overwritten",
                    hint="Ask again: it is looked at afresh.",
                    location=self._url(job),
                ) from refused
            if refused.reason == "not_found" and folder:
                hint = f"Create the folder {folder} in Jenkins, or correct jenkins.job in midas.toml."
                raise self._api.failed(attempted, "not_found", f"no folder {folder}", hint) from refused
            raise

    def _standing(self, job: ProposedJob) -> bool:
        """Whether a job of ours is there. Raises ``BlockedError`` for anybody else's."""
        text = self._config(job.name)
        if text is None:
            return False
        ours = written_as(text)
        definition = JobDefinition.from_xml(text)
        if ours and definition and definition.sha256 == ours:
            return True
        raise BlockedError(
            f"the job {job.name} was changed by somebody in Jenkins: it is never overwritten"
            if ours
            else f"there is a job {job.name} that was not set up by midas-devops: it is never overwritten",
            hint="Rename or delete that job, or name another one as jenkins.job in midas.toml.",
            location=self._url(job),
        )

    def _config(self, name: str) -> str | None:
        try:
            return self._api.text(f"{job_path(name)}config.xml", f"look at the job {name}")
        except RemoteError as refused:
            if refused.reason != "not_found":
                raise
            return None

    def _url(self, job: ProposedJob) -> str:
        return self._api.address(job_path(job.name))


def _definition(job: ProposedJob) -> JobDefinition:
    return JobDefinition(
        repository=job.repository,
        credentials_id=job.credentials_id,
        branches=tuple(f"*/{branch}" for branch in job.branches),
        script_path=job.script_path,
    )
