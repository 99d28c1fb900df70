"""Who said yes to what, and whether that still counts (rule 3)."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Literal

from pydantic import Field

from midas_devops.domain.base import Value
from midas_devops.domain.changes import Pending


class Review(Value):
    """A person's answer to a pending question. Also the schema of a typed resume."""

    decision: Literal["approve", "reject"]
    digest: str = Field(default="", description="The digest that was shown; needed to approve")
    by: str = Field(description="Who answers")
    reason: str = Field(description="Why")
    confirm: str = Field(default="", description="The environment's name, to destroy all of it; else empty")


class Approval(Value):
    """One recorded approval of one digest, good for one effect."""

    run_id: str
    digest: str
    by: str
    reason: str
    given_at: datetime
    expires_at: datetime


def refusal(
    review: Review,
    pending: Pending,
    *,
    now: datetime,
    requested_by: str,
    environment: str,
    approvers: tuple[str, ...],
    groups_of_reviewer: tuple[str, ...],
    may_self_approve: bool,
    already_approved_by: tuple[str, ...] = (),
) -> str:
    """Why this answer cannot be taken, as a sentence; empty when it can.

    ``approvers`` holds names and groups; empty means anyone. A rejection needs only a name and a reason, and
    an approver where it leads to a rollback.
    """
    if not review.by.strip():
        return "an answer needs the name of the person who gives it"
    if not review.reason.strip():
        return "an answer needs a reason"
    acts = pending.choices.get("reject") == "rollback"
    if review.decision == "reject" and not acts:
        return ""
    if review.decision == "approve" and review.digest != pending.digest:
        return f"the digest is not the one that is waiting ({pending.digest[:12]}…)"
    if now >= datetime.fromisoformat(pending.expires_at):
        return f"the question expired at {pending.expires_at}"
    if approvers and not {review.by, *groups_of_reviewer} & set(approvers):
        return f"{review.by} is not among the approvers ({', '.join(approvers)})"
    if review.decision == "reject":
        return ""
    if _same_person(review.by, requested_by) and not may_self_approve:
        return f"{review.by} asked for this change and may not approve it"
    if any(_same_person(review.by, earlier) for earlier in already_approved_by):
        return f"{review.by} has approved this already; another person must"
    if pending.confirm_word and review.confirm != pending.confirm_word:
        return f"destroying the whole environment needs --confirm {pending.confirm_word}"
    if review.confirm and review.confirm != environment:
        return f"'{review.confirm}' is not the environment; this is about {environment}"
    return ""


def _same_person(one: str, other: str) -> bool:
    """Case, width and blanks make nobody another person."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
