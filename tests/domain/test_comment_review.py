"""Which comment is an answer (rule 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.comment_review import Answering, CommentCommand, Role, parse_command, why_not

DIGEST = "d" * 64
ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROLES: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")


def answer(command: str = f"/approve {DIGEST}", **changes: object) -> Answering:
    parsed = parse_command(command)
    assert parsed is not None
    said = {
        "command": parsed,
        "author": "ana",
        "is_person": True,
        "role": "write",
        "created_at": ASKED + timedelta(minutes=1),
        "updated_at": ASKED + timedelta(minutes=1),
    }
    return Answering.model_validate(said | changes)


def judged(of: Answering, **changes: object) -> str:
    asked: dict[str, object] = {
        "digest": DIGEST,
        "asked_at": ASKED,
        "needs": "write",
        "requested_by": "ben",
        "writer": "midas-bot",
        "approvers": (),
        "may_self_approve": False,
    }
    return why_not(of, **(asked | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"/approve {DIGEST}", ("approve", DIGEST, "")),
        (f"/approve {DIGEST} looks good", ("approve", DIGEST, "looks good")),
        (f"\n\n/Approve\t{DIGEST}  \r\nthanks", ("approve", DIGEST, "")),
        ("/reject not on a Friday", ("reject", "", "not on a Friday")),
        ("/reject", ("reject", "", "")),
        ("/approve", ("approve", "", "")),
        ("/approve 50ab", ("approve", "50ab", "")),
    ],
)
def test_a_command_is_read_from_the_first_line(body: str, expected: tuple[str, str, str]) -> None:
    found = parse_command(body)
    assert found is not None
    assert (found.decision, found.digest, found.reason) == expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  ",
        f"> /approve {DIGEST}",
        f"please\n/approve {DIGEST}",
        f"```\n/approve {DIGEST}\n```",
        f"`/approve {DIGEST}`",
        f"    /approve {DIGEST}",
        f"@ana /approve {DIGEST}",
        f"/approved {DIGEST}",
        f"/approve-{DIGEST}",
        f"/ approve {DIGEST}",
        "approve",
    ],
)
def test_every_other_text_is_no_command(body: str) -> None:
    assert parse_command(body) is None


@given(st.text())
def test_no_text_breaks_the_reading(body: str) -> None:
    found = parse_command(body)
    assert found is None or body.lstrip("\ufeff\r\n").casefold().startswith(("/approve", "/reject"))


def test_an_approval_and_a_rejection_that_fit_are_answers() -> None:
    assert judged(answer()) == ""
    assert judged(answer("/reject too late")) == ""


@pytest.mark.parametrize("needs", ["write", "maintain", "admin"])
@pytest.mark.parametrize("role", ROLES)
def test_the_permission_that_is_asked_for_or_a_higher_one_is_needed(needs: Role, role: Role) -> None:
    enough = ROLES.index(role) >= ROLES.index(needs)
    for command in (f"/approve {DIGEST}", "/reject no"):
        assert (judged(answer(command, role=role), needs=needs) == "") == enough


@pytest.mark.parametrize(
    ("changes", "asked", "why"),
    [
        ({"updated_at": ASKED + timedelta(hours=1)}, {}, "edited"),
        ({"is_person": False}, {}, "person"),
        (
            {"created_at": ASKED - timedelta(seconds=1), "updated_at": ASKED - timedelta(seconds=1)},
            {},
            "older",
        ),
        ({}, {"digest": "e" * 64}, "not the digest"),
        ({}, {"approvers": ("eve", "release-managers")}, "approvers"),
        ({}, {"requested_by": "ana"}, "asked for this change"),
        ({}, {"requested_by": "@ANA"}, "asked for this change"),
        ({}, {"writer": "Ana"}, "asked for this change"),
        ({}, {"confirm_word": "production"}, "command line"),
    ],
)
def test_what_does_not_count_is_told_why(
    changes: dict[str, object], asked: dict[str, object], why: str
) -> None:
    assert why in judged(answer(**changes), **asked)


@pytest.mark.parametrize("digest", ["", "d", "d" * 63, "d" * 65, "D" * 64, "d" * 12 + "…"])
def test_only_the_whole_digest_counts(digest: str) -> None:
    assert "whole digest" in judged(answer(f"/approve {digest}"))


def test_a_rejection_needs_a_reason() -> None:
    assert "REASON" in judged(answer("/reject"))


@pytest.mark.parametrize("approvers", [("ana",), ("@Ana",), ("eve", "ANA")])
def test_approvers_are_accounts_in_any_case(approvers: tuple[str, ...]) -> None:
    assert judged(answer(), approvers=approvers) == ""


def test_who_asked_may_approve_where_that_is_allowed() -> None:
    assert judged(answer(), requested_by="ana", may_self_approve=True) == ""


@given(
    command=st.builds(
        CommentCommand,
        decision=st.just("approve"),
        digest=st.text(alphabet="0123456789abcdefD ", max_size=70),
    ),
    role=st.sampled_from(ROLES),
    is_person=st.booleans(),
    edited=st.booleans(),
    minutes=st.integers(-5, 5),
    author=st.sampled_from(["ana", "ben", "midas-bot", "Ben"]),
)
def test_nothing_but_the_exact_digest_of_an_entitled_person_approves(
    command: CommentCommand, role: Role, is_person: bool, edited: bool, minutes: int, author: str
) -> None:
    at = ASKED + timedelta(minutes=minutes)
    said = Answering(
        command=command,
        author=author,
        is_person=is_person,
        role=role,
        created_at=at,
        updated_at=at + timedelta(minutes=edited),
    )
    if judged(said) == "":
        assert command.digest == DIGEST
        assert (role in ("write", "maintain", "admin"), is_person, edited, minutes >= 0, author) == (
            True, True, False, True, "ana",
        )  # fmt: skip
