"""What several looks at a release mean together."""

from __future__ import annotations

from itertools import product

import pytest

from midas_devops.domain.outcome import VerificationVerdict
from midas_devops.domain.verification_rule import CheckOutcome, verification_of

PASSED, FAILED = VerificationVerdict.PASSED, VerificationVerdict.FAILED
INCONCLUSIVE, ERRORED = VerificationVerdict.INCONCLUSIVE, VerificationVerdict.ERRORED


def look(verdict: VerificationVerdict, *, flapping: bool = False) -> CheckOutcome:
    return CheckOutcome(what=f"look {verdict}", verdict=verdict, detail="said so", flapping=flapping)


@pytest.mark.parametrize("verdicts", list(product(VerificationVerdict, repeat=3)))
def test_the_worst_look_decides(verdicts: tuple[VerificationVerdict, ...]) -> None:
    expected = next(each for each in (FAILED, ERRORED, INCONCLUSIVE, PASSED) if each in verdicts)
    verification = verification_of([look(each) for each in verdicts])
    assert verification.verdict is expected
    assert len(verification.checks) == 3


def test_nothing_looked_at_is_no_pass() -> None:
    assert verification_of([]).verdict is INCONCLUSIVE


def test_a_flapping_check_takes_no_earlier_verdict_back() -> None:
    flaps = [look(PASSED), look(FAILED, flapping=True)]
    assert verification_of(flaps).verdict is FAILED
    assert verification_of(flaps, verified_before=True).verdict is INCONCLUSIVE
    assert verification_of([*flaps, look(FAILED)], verified_before=True).verdict is FAILED
