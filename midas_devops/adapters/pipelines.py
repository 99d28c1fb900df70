"""Where a project's pipelines are proposed: a folder on this machine, or GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from midas_devops.adapters.pipelines_local import LocalPipelines
from midas_devops.config import Settings
from midas_devops.errors import UsageError
from midas_devops.ports.pipeline import PipelineHost, PipelineProposal, ProposalResult


class ProjectPipelines:
    """Implements ``ports.pipeline.PipelineHost``: a folder when there is one of that name, else GitHub.

    ``owner/name`` and URLs need ``[tracker] using = "github"``.
    """

    def __init__(self, root: Path, settings: Settings, environ: Mapping[str, str]) -> None:
        self._local = LocalPipelines(root)
        self._settings = settings
        self._environ = environ

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        return self._host(repository_url).plan(repository_url, config_details)

    def check(self, proposal: PipelineProposal) -> None:
        self._host(proposal.repository).check(proposal)

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult:
        return self._host(proposal.repository).propose(proposal, run_id=run_id)

    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        return self._host(proposal.repository).find(proposal)

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
