"""Whose yes counts, and for what (rule 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from midas_devops.domain.approval import Review, refusal
from midas_devops.domain.changes import Pending

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def answer(review: dict[str, Any] | None = None, pending: dict[str, Any] | None = None, **rules: Any) -> str:
    said = {"decision": "approve", "digest": "d1", "by": "ana", "reason": "looks right", **(review or {})}
    asked = {
        "kind": "approval",
        "digest": "d1",
        "question": "?",
        "asked_at": NOW.isoformat(),
        "expires_at": (NOW + timedelta(hours=1)).isoformat(),
        **(pending or {}),
    }
    defaults: dict[str, Any] = {
        "now": NOW,
        "requested_by": "ben",
        "environment": "production",
        "approvers": (),
        "groups_of_reviewer": (),
        "may_self_approve": False,
    }
    return refusal(Review.model_validate(said), Pending.model_validate(asked), **{**defaults, **rules})


def test_the_right_digest_by_somebody_else_is_taken() -> None:
    assert answer() == ""


@pytest.mark.parametrize("digest", ["", "d2", "D1", "d1 "])
def test_any_other_digest_is_refused(digest: str) -> None:
    assert "digest" in answer({"digest": digest})


@pytest.mark.parametrize("field", ["by", "reason"])
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_blank_name_or_reason_is_refused(field: str, decision: str) -> None:
    assert answer({field: "  ", "decision": decision}) != ""


def test_an_expired_question_is_refused() -> None:
    assert "expired" in answer(now=NOW + timedelta(hours=1))


def test_who_asked_may_not_approve() -> None:
    assert "may not approve" in answer({"by": "ben"})
    assert answer({"by": "ben"}, may_self_approve=True) == ""


def test_only_named_approvers_and_their_groups_count() -> None:
    assert "not among" in answer(approvers=("release-managers",))
    assert answer(approvers=("release-managers",), groups_of_reviewer=("release-managers",)) == ""
    assert answer(approvers=("ana",)) == ""


def test_the_same_person_counts_once() -> None:
    assert "another person" in answer(already_approved_by=("ana",))


def test_destroying_everything_needs_the_environments_name() -> None:
    assert "--confirm" in answer(pending={"confirm_word": "production"})
    assert answer({"confirm": "production"}, pending={"confirm_word": "production"}) == ""


def test_a_confirmation_of_another_environment_is_refused() -> None:
    assert "not the environment" in answer({"confirm": "staging"})
    assert answer({"confirm": "production"}) == ""


def test_anyone_may_reject_with_a_name_and_a_reason() -> None:
    assert answer({"decision": "reject", "digest": "", "by": "ben"}, approvers=("ana",)) == ""


@pytest.mark.parametrize("name", ["Ben", " ben ", "BEN", "\uff42\uff45\uff4e"])
def test_writing_a_name_otherwise_makes_nobody_another_person(name: str) -> None:
    assert "may not approve" in answer({"by": name})
    assert "another person" in answer({"by": name}, requested_by="cem", already_approved_by=("ben",))


def test_a_rejection_that_rolls_back_takes_an_approver_in_time() -> None:
    asked = {"choices": {"approve": "keep", "reject": "rollback"}}
    no = {"decision": "reject", "digest": ""}
    assert answer(no, asked) == ""
    assert answer({**no, "by": "ben"}, asked) == ""
    assert "approvers" in answer(no, asked, approvers=("eve",))
    assert "expired" in answer(no, asked, now=NOW + timedelta(hours=1))
    assert answer(no, approvers=("eve",)) == ""
