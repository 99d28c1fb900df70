"""IacEngine: infrastructure as code, one configuration at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value
from midas_devops.domain.changes import ChangeCounts, ResourceChange, StateIdentity
from midas_devops.domain.outcome import Diagnostic

IacErrorCode = Literal[
    "engine_missing",
    "init_failed",
    "invalid_configuration",
    "state_locked",
    "stale_plan",
    "foreign_plan",
    "workspace_missing",
    "plan_failed",
    "apply_failed",
    "cancelled",
    "timed_out",
    "unreadable_state",
]

Progress = Callable[[str], None]
"""Receives one short line per notable step, already free of secrets."""


class IacFailure(Value):
    """Why an engine's step did not do its work."""

    code: IacErrorCode
    message: str
    diagnostics: tuple[Diagnostic, ...] = ()
    lock_holder: str = ""
    """For ``state_locked``: who, what and since when, as the engine's lock info says."""
    log: ArtifactRef | None = None


class PlanInputs(Value):
    """What one request adds to its configuration, on top of what midas.toml gives it."""

    variables: dict[str, str] = {}
    """As the engine's ``-var`` takes them. Never a secret: those come from the environment."""
    var_files: tuple[str, ...] = ()
    """Relative to the project, in the order in which later ones win."""
    targets: tuple[str, ...] = ()
    """Addresses that the plan is limited to: an exception, and shown as one."""


class PlanResult(Value):
    """A saved plan, or why there is none."""

    failure: IacFailure | None = None
    saved_plan: ArtifactRef | None = None
    plan_json: ArtifactRef | None = None
    """``show -json`` of the saved plan; private."""
    counts: ChangeCounts = ChangeCounts()
    changes: tuple[ResourceChange, ...] = ()
    """Managed resources whose actions are not no-op or read."""
    prior_addresses: tuple[str, ...] = ()
    """Managed resources of the prior state."""
    dependents: tuple[str, ...] = ()
    """Managed resources that stay, and are built on one that is destroyed; empty where that is not known."""
    outputs_changed: bool = False
    state: StateIdentity = StateIdentity()
    config_sha256: str = ""
    engine: str = ""
    """Name and version, for the report."""
    targets: tuple[str, ...] = ()
    """Addresses that this plan is limited to; empty for a plan of everything."""


class ApplyResult(Value):
    """How an apply of a saved plan ended. A failed apply can have changed things."""

    failure: IacFailure | None = None
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Addresses whose operation errored."""
    tainted: tuple[str, ...] = ()
    deposed: tuple[str, ...] = ()
    """Objects that a replacement left over, as ``object_name`` writes them."""
    orphans: tuple[str, ...] = ()
    """Addresses whose creation was begun and not recorded: they may exist, and no state knows them."""
    not_begun: tuple[str, ...] = ()
    """Addresses of the plan that nothing was tried for."""
    outputs: dict[str, str] = {}
    """Non-sensitive outputs as text."""
    state: StateIdentity = StateIdentity()
    log: ArtifactRef | None = None
    """Full engine output; private."""


class DriftChange(Value):
    """One managed resource that is not as the state remembers it."""

    address: str
    """With the key of a deposed object, as ``object_name`` writes it."""
    actions: tuple[str, ...]
    """What happened outside, as the engine names it: ``update`` or ``delete``."""
    attributes: tuple[str, ...] = ()
    """Paths of what differs, such as ``tags.Name`` or ``ingress[0].from_port``; never a value. None of a
    resource that is gone, and nothing below an attribute that is marked as sensitive."""


class DriftResult(Value):
    """What changed outside since the last apply, or why that cannot be told."""

    failure: IacFailure | None = None
    changes: tuple[DriftChange, ...] = ()
    engine: str = ""
    """Name and version, for the report."""

    @property
    def drifted(self) -> bool:
        return bool(self.changes)


class DraftResult(Value):
    """What became of a drafted change in a copy of the configuration."""

    failure: IacFailure | None = None
    files: dict[str, str] = {}
    """Its files, formatted."""
    changes: tuple[ResourceChange, ...] = ()
    prior_addresses: tuple[str, ...] = ()
    plan_json: bytes = b""
    """``show -json`` of its plan; may hold secrets, and is not kept."""


class InFlight(Value):
    """An engine process that an earlier, dead process of ours started and that may still work."""

    alive: bool
    pid: int = 0


class IacEngine(Protocol):
    """One engine bound to one configuration folder of one environment.

    Methods raise :class:`midas_devops.errors.ToolError` only when the engine cannot be started at all;
    everything an engine can answer is in the result.
    """

    @property
    def describe(self) -> str:
        """Engine and version, ``terraform 1.15.2 (embedded)``. Reads nothing of the configuration."""
        ...

    def given(self, inputs: PlanInputs) -> IacEngine:
        """The same engine with a request's variables and targets. Raises ``UsageError`` for bad ones."""
        ...

    def config_sha256(self) -> str:
        """Content hash of the configuration folder as it stands, uncommitted edits and inputs included."""
        ...

    def state_identity(self) -> StateIdentity:
        """Lineage and serial of the state as the backend has it now."""
        ...

    def validate(self, progress: Progress) -> IacFailure | None:
        """None when the configuration initialises and validates."""
        ...

    def plan(self, progress: Progress, *, destroy: bool = False, config_commit: str = "") -> PlanResult:
        """Plan and save. ``config_commit`` plans an earlier commit's configuration on today's state."""
        ...

    def adopt(self, plan_file: Path, progress: Progress) -> PlanResult:
        """Take over a plan that somebody saved with the engine itself: copied, read and checked, not applied.

        Refused as ``stale_plan``, or as ``foreign_plan`` when it is of another configuration, workspace or
        engine version.
        """
        ...

    def create_workspace(self, progress: Progress) -> bool:
        """Make sure that the state's workspace is there; True when it was made. Raises ``ToolError``."""
        ...

    def drift(self, progress: Progress) -> DriftResult:
        """Compare the state with the world. Writes neither of them; takes the state lock meanwhile."""
        ...

    def apply(self, saved_plan: ArtifactRef, progress: Progress, *, effect: str) -> ApplyResult:
        """Apply exactly this saved plan. ``effect`` names the run's step, for :meth:`in_flight`."""
        ...

    def in_flight(self, effect: str) -> InFlight:
        """Whether an engine started for this effect by a process that died is still at work."""
        ...

    def left_behind(self, effect: str) -> ApplyResult | None:
        """What an engine of an earlier, dead process of ours did, read from its output; None when unknown."""
        ...

    def outputs(self) -> dict[str, str]:
        """Non-sensitive outputs of the current state, as text."""
        ...

    def sensitive_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of the current state that are marked as sensitive."""
        ...

    def sensitive_values(self) -> Iterable[str]:
        """Values the engine marks as sensitive in the last plan and state, for the redactor only."""
        ...


@runtime_checkable
class TriesDrafts(Protocol):
    """An engine that can try a drafted change without touching the project."""

    def resource_types(self) -> set[str]:
        """Types of the managed resources in the last plan."""
        ...

    def try_draft(self, files: Mapping[str, str], progress: Progress) -> DraftResult:
        """Format, validate and plan the configuration with these files (name → text) in a copy."""
        ...


class PlanDocument(Protocol):
    """Anything that reads like ``terraform show -json`` of a plan."""

    def __getitem__(self, key: str) -> Any: ...


EngineFor = Callable[[str, Path], IacEngine]
"""(environment, configuration folder) → engine."""
