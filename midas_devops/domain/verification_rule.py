"""What several looks at a release mean together (rule 11)."""

from __future__ import annotations

from collections.abc import Sequence

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value
from midas_devops.domain.outcome import Verification, VerificationVerdict

_WORST_FIRST = (
    VerificationVerdict.FAILED,
    VerificationVerdict.ERRORED,
    VerificationVerdict.INCONCLUSIVE,
)


class CheckOutcome(Value):
    """One look from outside."""

    what: str
    """``http /health``, ``command ./smoke.sh``, ``log``…"""
    verdict: VerificationVerdict
    detail: str
    flapping: bool = False
    """It passed and failed in turn."""
    log: ArtifactRef | None = None


def verification_of(outcomes: Sequence[CheckOutcome], *, verified_before: bool = False) -> Verification:
    """The worst outcome decides: failed, errored, inconclusive, passed. Nothing looked at is inconclusive.

    ``verified_before``: what runs was verified and nothing was deployed since. Then a check that flaps is
    inconclusive: it neither takes the verdict back nor confirms it.
    """
    settled = [_settled(outcome, verified_before) for outcome in outcomes]
    checks = tuple(f"{each.verdict}: {each.what}: {each.detail}" for each in settled)
    for verdict in _WORST_FIRST:
        worst = [each for each in settled if each.verdict is verdict]
        if worst:
            return Verification(
                verdict=verdict,
                summary="; ".join(f"{each.what}: {each.detail}" for each in worst),
                checks=checks,
            )
    if not settled:
        return Verification(verdict=VerificationVerdict.INCONCLUSIVE, summary="nothing was looked at")
    return Verification(
        verdict=VerificationVerdict.PASSED,
        summary="; ".join(each.detail for each in settled),
        checks=checks,
    )


def _settled(outcome: CheckOutcome, verified_before: bool) -> CheckOutcome:
    if verified_before and outcome.flapping and outcome.verdict is VerificationVerdict.FAILED:
        return outcome.model_copy(update={"verdict": VerificationVerdict.INCONCLUSIVE})
    return outcome
