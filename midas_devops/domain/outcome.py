"""What carrying a change out led to, and what is done about it when it failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value


class Diagnostic(Value):
    """One error as the tool itself reported it."""

    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int = 0
    """1-based; 0 when the tool named none."""
    severity: Literal["error", "warning"] = "error"


class Outcome(Value):
    """How an effect ended."""

    ok: bool
    stage: Literal["plan", "apply", "deploy", "rollback", "pipeline"]
    summary: str
    code: str = ""
    """Closed error code of the port that failed; empty when it went well."""
    changed_anything: bool = False
    """Whether the outside world may differ from before."""
    serving: str = ""
    """Commit that the environment serves after it; empty when none or not a release."""
    url: str = ""
    outputs: dict[str, str] = {}
    """Non-sensitive outputs of the infrastructure, rendered as text."""
    created: int = 0
    changed: int = 0
    destroyed: int = 0
    failed_addresses: tuple[str, ...] = ()
    """The first 20."""
    tainted: tuple[str, ...] = ()
    """Resources that are there and not right; the next plan replaces them. The first 20."""
    deposed: tuple[str, ...] = ()
    """Objects that a replacement left over; the next plan deletes them. The first 20."""
    orphans: tuple[str, ...] = ()
    """What may exist although no state knows it: its creation was cut off. The first 20."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """The first 10 errors."""
    logs: tuple[ArtifactRef, ...] = ()


class VerificationVerdict(StrEnum):
    """Failed → rollback; inconclusive or errored → a person."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"


class Verification(Value):
    """Whether what was carried out really works, measured from outside."""

    verdict: VerificationVerdict
    summary: str
    checks: tuple[str, ...] = ()


class Evidence(Value):
    """What a diagnosis may quote. Its text is never in state: a run's size must not follow a log's."""

    source: str
    """``artifact:<sha256>`` of the full text."""
    full: ArtifactRef
    condensed: ArtifactRef
    """Within its token budget and redacted."""
    tokens: int
    lines_total: int
    lines_kept: int


class RecoveryKind(StrEnum):
    """The only things that are done after a failure."""

    RETRY = "retry"
    ROLLBACK = "rollback"
    REVERT = "revert"
    ESCALATE = "escalate"


class Recovery(Value):
    """What follows a failure, and why."""

    kind: RecoveryKind
    reason: str
    to_commit: str = ""
    to_version: str = ""
    ok: bool | None = None
    """None until it was carried out."""
    ask: bool = False
    """True when a person has to answer before the run can end."""
    effects: tuple[str, ...] = ()
    """What a rollback does, in order, as a person was asked; empty where nobody was or nobody could tell."""
