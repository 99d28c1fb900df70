"""PipelineHost: where CI/CD pipelines live, how they are proposed, and how their runs are watched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value
from midas_devops.domain.pipeline_runs import PipelineJob, PipelineRun, Workflow


class PipelineFile(Value):
    """One file of a proposed pipeline. ``path`` is relative to the repository."""

    path: str
    text: str
    exists: bool = False
    """True when a file stands there now: it is never overwritten, whatever it holds."""
    instead: str = ""
    """The file that stands there, when it holds something else."""


class ProposedJob(Value):
    """A job that a server keeps itself, beside the file in the repository (Jenkins)."""

    name: str
    """Full name, with its folders."""
    repository: str
    """What the server clones."""
    branches: tuple[str, ...]
    credentials_id: str = ""
    script_path: str = "Jenkinsfile"
    exists: bool = False
    """True when it stands there already, exactly so."""


class PipelineProposal(Value):
    """A pipeline that passed validation, and the reasons for its parts."""

    repository: str
    platform: Literal["github-actions", "jenkins"]
    files: tuple[PipelineFile, ...]
    reasons: tuple[str, ...] = ()
    job: ProposedJob | None = None


class ProposalResult(Value):
    """Where the proposal stands now. ``changed`` is False when the same proposal was there already."""

    changed: bool
    branch: str = ""
    url: str = ""
    """Pull request, where the host has them."""
    commit: str = ""
    detail: str = ""


class PipelineHost(Protocol):
    """Proposes on a branch of its own; never touches another branch. Raises ``ToolError``, ``UsageError``."""

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        """Detect, render and validate. Reads only."""
        ...

    def check(self, proposal: PipelineProposal) -> None:
        """Whether it can be proposed as the branch stands now. Reads only. Raises ``BlockedError``."""
        ...

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult: ...
    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        """The same proposal, where it was made before; None otherwise."""
        ...


class PipelineJobs(Protocol):
    """Sets up a server's own job. Raises ``RemoteError``; ``BlockedError`` for a job that is not ours."""

    def check(self, job: ProposedJob) -> None:
        """Whether it can be set up as things stand. Reads only."""
        ...

    def set_up(self, job: ProposedJob) -> ProposalResult:
        """Create or update it; nothing when it stands there so."""
        ...

    def find(self, job: ProposedJob) -> ProposalResult | None:
        """The same job, where it was set up before; None otherwise."""
        ...


class HostEnvironment(Value):
    """A deployment environment with the rules that stand in front of it."""

    name: str
    reviewers: tuple[str, ...] = ()
    """People and teams of whom one has to approve."""
    self_review: bool = True
    """Whether who started a run may approve it."""
    wait_minutes: int = 0
    branches: tuple[str, ...] | None = None
    """Patterns that may deploy; ``("protected branches",)``; None: every branch."""
    admins_bypass: bool = True
    secrets: tuple[str, ...] = ()
    """Names; no value is ever asked for."""
    variables: tuple[str, ...] = ()


class BranchRules(Value):
    """What guards a branch: classic protection and rulesets, taken together."""

    branch: str
    protected: bool
    required_checks: tuple[str, ...] | None = None
    """None: the token may not read them."""
    approvals: int | None = None
    force_push: bool | None = None
    """Whether history can be rewritten."""
    rulesets: tuple[str, ...] = ()


class HostPermissions(Value):
    """What pipelines may do by default. None: not told by the host, or not readable with this token."""

    enabled: bool | None = None
    actions_allowed: str = ""
    """``all``, ``local_only`` or ``selected``."""
    pins_required: bool | None = None
    default_access: Literal["read", "write", ""] = ""
    """Of the token that a job gets when its workflow says nothing."""
    approves_pull_requests: bool | None = None


class HostConfig(Value):
    """A pipeline host's own settings of one repository or folder. Names of secrets, never values."""

    host: str
    """For a person: ``acme/orders on GitHub``."""
    platform: Literal["github-actions", "jenkins"] = "github-actions"
    """Which of the pipeline files run there."""
    default_branch: str = ""
    workflows: tuple[Workflow, ...] = ()
    environments: tuple[HostEnvironment, ...] = ()
    branch: BranchRules | None = None
    """The default branch's."""
    secrets: tuple[str, ...] | None = None
    """Repository's and organisation's; None: not readable."""
    variables: tuple[str, ...] | None = None
    permissions: HostPermissions = HostPermissions()
    unknown: tuple[str, ...] = ()
    """What could not be read, and why: one sentence each."""


class Triggered(Value):
    """A run that was asked for. ``run_id`` is empty when the host has queued it without telling which."""

    workflow: str
    branch: str
    run_id: str = ""
    url: str = ""


class PipelineRuns(Protocol):
    """The part of a pipeline host that watches and starts runs; bound to one repository or folder.

    Every method raises ``RemoteError`` with one of its closed reasons: ``unauthorized forbidden not_found
    gone rate_limited refused unreachable timed_out unreadable unavailable``.
    """

    def default_branch(self) -> str:
        """The branch that matters most; empty where the host does not know one (then all are watched)."""
        ...

    def workflows(self) -> tuple[Workflow, ...]:
        """All of them, the disabled ones too. Jenkins: jobs."""
        ...

    def runs(
        self, *, workflow: str = "", branch: str = "", since: datetime | None = None, limit: int = 100
    ) -> tuple[PipelineRun, ...]:
        """Newest first, at most ``limit``, made at or after ``since``. ``workflow``: an id or a file name."""
        ...

    def run(self, run_id: str) -> PipelineRun:
        """One run as it is now; call it again to follow it. ``not_found`` when there is none."""
        ...

    def jobs(self, run: PipelineRun) -> tuple[PipelineJob, ...]:
        """The jobs of every attempt, first attempt first."""
        ...

    def log(self, job: PipelineJob) -> ArtifactRef:
        """The job's raw log, streamed to a private artifact. ``gone`` when the host has deleted it."""
        ...

    def trigger(self, workflow: str, *, branch: str, inputs: Mapping[str, str] | None = None) -> Triggered:
        """Start a run, once per call: never repeated on a doubtful answer. ``refused`` when it cannot."""
        ...

    def config(self) -> HostConfig:
        """The host's settings. What this token may not read is named in ``unknown``, not raised."""
        ...
