"""Gates: what the testers' and scanners' evidence means for exactly one commit (rule 5)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from midas_devops.domain.base import Value


class Verdict(StrEnum):
    """Only ``passed`` lets anything through."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"


class GateResult(Value):
    """One gate's verdict with its reason and the evidence it was read from."""

    name: str
    verdict: Verdict
    reason: str
    commit: str | None = None
    """The commit that the evidence itself names; None when it names none."""
    evidence: tuple[str, ...] = ()
    """Where it was read: paths relative to the project, or URLs."""
    evidence_sha256: str = ""
    measured_at: datetime | None = None
    age_seconds: int | None = None
    """Between measuring and judging; None where no time of measuring is known."""
    waivable: bool = False
    """True when the configuration lets a person allow the change in spite of this verdict."""


class GateReport(Value):
    """All gates of one change. Passed only when every one is; no gates at all passes and says so."""

    gates: tuple[GateResult, ...] = ()

    @property
    def passed(self) -> bool:
        return all(gate.verdict is Verdict.PASSED for gate in self.gates)

    @property
    def blocking(self) -> tuple[GateResult, ...]:
        """What nobody can allow: every gate that did not pass and cannot be waived."""
        return tuple(g for g in self.gates if g.verdict is not Verdict.PASSED and not g.waivable)

    @property
    def waived(self) -> tuple[GateResult, ...]:
        """Gates that did not pass and need a person who allows the change all the same."""
        return tuple(g for g in self.gates if g.verdict is not Verdict.PASSED and g.waivable)

    @property
    def summary(self) -> str:
        if not self.gates:
            return "no gates are configured"
        return ", ".join(f"{gate.name}: {gate.verdict}" for gate in self.gates)
