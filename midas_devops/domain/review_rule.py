"""When a person is asked, and for what (rules 3 and 4)."""

from __future__ import annotations

from typing import Literal

from midas_devops.domain.base import Value
from midas_devops.domain.changes import ChangePlan, GuardVerdict

Kind = Literal["approval", "revert", "confirm_destroy"]


class ReviewNeed(Value):
    """``blocked`` says why nobody can allow it; otherwise ``kind`` is what is asked, None for nobody."""

    kind: Kind | None = None
    approvals: int = 0
    blocked: str = ""


def review_need(
    plan: ChangePlan, *, approvals: int, covered: bool, production: bool, waived: bool = False
) -> ReviewNeed:
    """Decide on one plan. ``covered``: an approval already used in this run holds all of its changes.

    ``waived``: a gate did not pass, and the configuration lets a person allow the change all the same.
    """
    if plan.guard is GuardVerdict.BLOCKED:
        return ReviewNeed(
            blocked=f"this would destroy all of {plan.environment}: set allow_destroy = true in its"
            " [infrastructure] table first, and confirm by name"
        )
    if plan.revert_to and production:
        return ReviewNeed(kind="revert", approvals=max(1, approvals))
    if not plan.has_changes or covered:
        return ReviewNeed()
    if waived:
        approvals = max(1, approvals)
    if plan.whole_environment:
        return ReviewNeed(kind="confirm_destroy", approvals=max(1, approvals))
    if plan.revert_to and (approvals or plan.guard is GuardVerdict.NEEDS_APPROVAL):
        return ReviewNeed(kind="revert", approvals=max(1, approvals))
    if plan.guard is GuardVerdict.NEEDS_APPROVAL:
        return ReviewNeed(kind="approval", approvals=max(1, approvals))
    if approvals:
        return ReviewNeed(kind="approval", approvals=approvals)
    if plan.targets and production:
        return ReviewNeed(kind="approval", approvals=1)
    return ReviewNeed()
