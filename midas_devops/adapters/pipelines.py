"""Where a project's pipelines are proposed: a folder on this machine, or GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from midas_devops.adapters.pipelines_local import LocalPipelines
from midas_devops.config import Settings
from midas_devops.errors import UsageError
from midas_devops.pipelines.details import parse_details
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.pipeline import (
    PipelineHost,
    PipelineJobs,
    PipelineProposal,
    PipelineRuns,
    ProposalResult,
    ProposedJob,
)


def open_pipeline_runs(
    root: Path, settings: Settings, environ: Mapping[str, str], artifacts: Artifacts
) -> PipelineRuns:
    """The host that runs this project's pipelines. Raises ``ConfigError`` when midas.toml names none.

    A Jenkins that is configured is where they run, also beside a GitHub that keeps code and issues.
    """
    if settings.jenkins is not None:
        from midas_devops.adapters.jenkins_runs import JenkinsRuns

        return JenkinsRuns.from_settings(settings, environ, artifacts, root)
    from midas_devops.adapters.github_runs import GitHubRuns

    return GitHubRuns.from_settings(settings, environ, artifacts, root)


def open_pipeline_jobs(settings: Settings, environ: Mapping[str, str]) -> PipelineJobs | None:
    """The Jenkins that keeps this project's job; None when none is configured. Connects at first use."""
    if settings.jenkins is None:
        return None
    from midas_devops.adapters.jenkins_setup import JenkinsJobs

    return JenkinsJobs.from_settings(settings, environ)


class ProjectPipelines:
    """Implements ``ports.pipeline.PipelineHost``: a folder when there is one of that name, else GitHub.

    ``owner/name`` and URLs need ``[tracker] using = "github"``.
    """

    def __init__(self, root: Path, settings: Settings, environ: Mapping[str, str]) -> None:
        self._local = LocalPipelines(root)
        self._settings = settings
        self._environ = environ

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        proposal = self._host(repository_url).plan(repository_url, config_details)
        if proposal.platform == "jenkins" and self._settings.jenkins is not None:
            return self._with_job(proposal, parse_details(config_details).branches)
        return proposal

    def check(self, proposal: PipelineProposal) -> None:
        self._host(proposal.repository).check(proposal)

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult:
        return self._host(proposal.repository).propose(proposal, run_id=run_id)

    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        return self._host(proposal.repository).find(proposal)

    def _with_job(self, proposal: PipelineProposal, branches: tuple[str, ...]) -> PipelineProposal:
        jenkins, jobs = self._settings.jenkins, open_pipeline_jobs(self._settings, self._environ)
        where = self._clone_address(proposal.repository)
        job = None
        reason = "no job is set up in Jenkins: the repository has no remote 'origin' to clone"
        if where and jenkins and jobs:
            job = ProposedJob(
                name=jenkins.job, repository=where, branches=branches, credentials_id=jenkins.credentials_id
            )
            job = job.model_copy(update={"exists": jobs.find(job) is not None})
            reason = f"the job {job.name} at {jenkins.url} runs it, from {where}"
        return proposal.model_copy(update={"job": job, "reasons": (*proposal.reasons, reason)})

    def _clone_address(self, repository: str) -> str:
        """What another machine clones: a folder's ``origin``, else the repository on GitHub."""
        if self._local.folder(repository):
            return self._local.origin(repository)
        api = urlsplit(self._settings.tracker.api_url)
        host = "github.com" if api.hostname == "api.github.com" else api.netloc
        return f"https://{host}/{repository}.git"

    def _host(self, repository_url: str) -> PipelineHost:
        if self._local.folder(repository_url):
            return self._local
        from midas_devops.adapters.pipelines_github import GitHubPipelines, github_name

        if not github_name(repository_url, self._settings.tracker.api_url):
            raise UsageError(
                f"there is no folder '{repository_url}', and it names no repository on GitHub",
                hint="Give a folder, owner/name or a URL such as https://github.com/owner/name.",
            )
        if self._settings.tracker.using != "github":
            raise UsageError(
                f"there is no folder '{repository_url}', and GitHub is not configured",
                hint='Set using = "github" in [tracker] of midas.toml, or give the folder of a clone.',
                location="midas.toml: tracker.using",
            )
        return GitHubPipelines.from_settings(self._settings, self._environ)
