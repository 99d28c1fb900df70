"""What would change: resource changes of infrastructure, effects of a release."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value
from midas_devops.domain.draft import DraftedChange
from midas_devops.domain.requirements import RequirementsReport
from midas_devops.domain.runs import Operation


class StateIdentity(Value):
    """Which infrastructure state, and which version of it. ``lineage`` is empty before the first apply."""

    lineage: str = ""
    serial: int = 0
    workspace: str = ""
    """Name of the workspace it is the state of; empty for the default one."""


class ResourceChange(Value):
    """One managed resource's planned actions, as the engine names them."""

    address: str
    type: str
    actions: tuple[str, ...]
    deposed: str = ""
    """Key of a deposed object, empty for the current one."""
    previous_address: str = ""


class ChangeCounts(Value):
    """How many resources a plan touches. A replace counts once, and neither as add nor as destroy."""

    add: int = 0
    change: int = 0
    destroy: int = 0
    replace: int = 0
    forget: int = 0

    @property
    def total(self) -> int:
        return self.add + self.change + self.destroy + self.replace + self.forget


class GuardVerdict(StrEnum):
    """What the destruction guard says of a plan."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    BLOCKED = "blocked"


class Finding(Value):
    """One address that the plan would delete, replace or forget, and the rule that caught it."""

    address: str
    actions: tuple[str, ...]
    type: str
    rule: str
    reason: str


class GuardReport(Value):
    """The guard's verdict on one plan. ``findings`` names each destroyed address once."""

    verdict: GuardVerdict = GuardVerdict.ALLOWED
    findings: tuple[Finding, ...] = ()
    whole_environment: bool = False
    """True when every managed resource of the prior state goes."""


class BlastRadius(Value):
    """How far a plan reaches beyond what it names. See :func:`midas_devops.domain.blast_radius.measure`."""

    score: int = 0
    """0 (nothing can be lost) to 100."""
    destroyed: int = 0
    """Resources deleted, replaced or forgotten."""
    stateful: int = 0
    """Those of them that hold what no configuration brings back."""
    dependents: int = 0
    """Resources that stay, and are built on destroyed ones."""
    updated: int = 0


class ReleaseChange(Value):
    """From which version to which, and what lies between."""

    from_commit: str = ""
    from_version: str = ""
    to_commit: str
    to_version: str
    commits: tuple[str, ...] = ()
    """``<short hash> <subject>``, newest first; at most 50."""
    commits_total: int = 0
    files: tuple[str, ...] = ()
    """The first 50 that changed."""
    files_changed: int = 0
    migrations: tuple[str, ...] = ()
    """``path (tool)`` of the first 50 changed files that migrate a database."""
    migrations_total: int = 0
    configuration: tuple[str, ...] = ()
    """The first 50 changed files of configuration and infrastructure."""
    configuration_total: int = 0
    gates: tuple[str, ...] = ()
    """Names of the gates that it has to pass."""
    rollback: bool = False
    """Whether a person asked to return to this version."""
    blocks: str = ""
    """Why the version that a rollback leaves is blocked; empty when it is not."""
    warnings: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    """The exact effects, in order."""
    details: ArtifactRef | None = None
    """What the target itself says would change (private); None when it cannot tell."""


class ChangePlan(Value):
    """What a run intends to do. Small: full lists are in the ``details`` artifact."""

    operation: Operation
    environment: str
    commit: str
    """Source commit: full hash; empty where the project is not a git repository."""
    summary: str
    """A few lines for a person."""
    counts: ChangeCounts = Field(default_factory=ChangeCounts)
    has_changes: bool
    guard: GuardVerdict = GuardVerdict.ALLOWED
    findings_total: int = 0
    findings: tuple[Finding, ...] = ()
    """The first 20; all of them in ``details``."""
    protected: tuple[str, ...] = ()
    """The first 50 addresses that take a person to let go; all of them in ``details``."""
    protected_total: int = 0
    whole_environment: bool = False
    blast_radius: BlastRadius | None = None
    requirements: RequirementsReport | None = None
    """What the architect asked for against what the plan provides, with the first 20 gaps."""
    gaps_total: int = 0
    draft: DraftedChange | None = None
    """A model's change that closes gaps, tried in a copy; only for a person to read."""
    release: ReleaseChange | None = None
    config: str = ""
    config_sha256: str = ""
    """Content hash of the configuration as used, uncommitted edits included."""
    saved_plan: ArtifactRef | None = None
    """The engine's saved plan file (private), or the canonical release plan."""
    plan_json: ArtifactRef | None = None
    """The engine's plan as JSON (private)."""
    details: ArtifactRef | None = None
    state: StateIdentity = Field(default_factory=StateIdentity)
    running: str = ""
    """What runs there now, as the deployer says: a commit, or empty."""
    revert_to: str = ""
    """Commit whose configuration this plan returns to; empty unless it is a revert."""
    targets: tuple[str, ...] = ()
    """Addresses that the plan is limited to: an exception; empty for a plan of everything."""
    notes: tuple[str, ...] = ()


class Pending(Value):
    """What a person is asked."""

    kind: Literal["approval", "revert", "escalation", "confirm_destroy"]
    digest: str
    question: str
    addresses: tuple[str, ...] = ()
    """The first 50 protected addresses that this approval would let go."""
    addresses_total: int = 0
    asked_at: str
    expires_at: str
    approvals_needed: int = 1
    confirm_word: str = ""
    """What must be typed, for ``confirm_destroy``."""
    effects: tuple[str, ...] = ()
    """What the rollback that an answer leads to does, in order; empty where none does."""
    choices: dict[str, str] = {}
    """What ``approve`` and ``reject`` lead to: ``keep | rollback | retry | close``; empty: as they say."""
