"""What a team's policies mean for a plan. They can only tighten what the guard says (rule 4)."""

from __future__ import annotations

from typing import Protocol

from midas_devops.domain.gate_rules import Failure
from midas_devops.domain.gates import GateResult, Verdict

_MOST_NAMED = 5


class Decided(Protocol):
    """A reading of policies."""

    @property
    def failure(self) -> Failure | None: ...
    @property
    def packages(self) -> tuple[str, ...]: ...
    @property
    def denied(self) -> tuple[str, ...]: ...
    @property
    def warned(self) -> tuple[str, ...]: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...
    @property
    def sha256(self) -> str: ...


def judge_policies(name: str, reading: Decided) -> GateResult:
    """Passed: at least one package decides, and none denies. A warning is told and lets through."""
    if reading.failure is not None:
        verdict = Verdict.INCONCLUSIVE if reading.failure.code == "missing" else Verdict.ERRORED
        reason = reading.failure.message
    elif reading.denied:
        verdict, reason = Verdict.FAILED, f"denied: {_named(reading.denied)}"
    elif not reading.packages:
        verdict, reason = Verdict.INCONCLUSIVE, "no policy has a rule 'deny', 'violation' or 'warn'"
    else:
        verdict = Verdict.PASSED
        reason = f"{', '.join(reading.packages)} {'deny' if len(reading.packages) > 1 else 'denies'} nothing"
    if reading.warned:
        reason += f"; warned: {_named(reading.warned)}"
    return GateResult(
        name=name,
        verdict=verdict,
        reason=reason,
        evidence=reading.evidence,
        evidence_sha256=reading.sha256,
    )


def _named(messages: tuple[str, ...]) -> str:
    more = f" and {len(messages) - _MOST_NAMED} more" if len(messages) > _MOST_NAMED else ""
    return "; ".join(messages[:_MOST_NAMED]) + more
