"""Answers to a pending question that come as comments: what counts as one, and from whom (rule 3)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from midas_devops.domain.base import Value

Role = Literal["none", "read", "triage", "write", "maintain", "admin"]
"""GitHub's repository roles, https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories"""

_RANK: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
_COMMAND = re.compile(r"/(approve|reject)(?:[ \t]+(\S.*))?", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_REASON = 500


class CommentCommand(Value):
    """``/approve DIGEST [reason]`` or ``/reject REASON``: the first line of a comment."""

    decision: Literal["approve", "reject"]
    digest: str = ""
    reason: str = ""


class Answering(Value):
    """One comment with a command, and everything that decides whether it counts."""

    command: CommentCommand
    author: str
    is_person: bool
    role: Role
    created_at: datetime
    updated_at: datetime


def parse_command(body: str) -> CommentCommand | None:
    """The command in a comment's first line; None for every other comment.

    Only there: a quotation (``> /approve``) or an example in the middle of a text is no answer.
    """
    first = body.lstrip("\ufeff\r\n").splitlines()[0].rstrip() if body.strip() else ""
    found = _COMMAND.fullmatch(first)
    if found is None:
        return None
    rest = found[2] or ""
    if found[1].lower() == "reject":
        return CommentCommand(decision="reject", reason=rest[:_LONGEST_REASON])
    digest, _, reason = rest.partition(" ")
    return CommentCommand(decision="approve", digest=digest, reason=reason.strip()[:_LONGEST_REASON])


def why_not(
    answer: Answering,
    *,
    digest: str,
    asked_at: datetime,
    needs: Role,
    requested_by: str,
    writer: str,
    approvers: tuple[str, ...],
    may_self_approve: bool,
    confirm_word: str = "",
) -> str:
    """Why this comment is no answer, as a sentence for its author; empty when it is one.

    ``asked_at`` is when the run first asked on the issue, by the tracker's clock. ``writer`` is the account
    that this program comments with: whoever holds its token could have asked for the change, so it counts as
    the requester. Names are compared as the tracker does, without case.
    """
    command = answer.command
    if answer.updated_at != answer.created_at:
        return "it was edited; write a new comment"
    if not answer.is_person:
        return "an answer has to come from a person"
    if _RANK.index(answer.role) < _RANK.index(needs):
        return f"it needs the permission '{needs}' on this repository"
    if answer.created_at < asked_at:
        return "it is older than the question"
    if command.decision == "reject":
        return "" if command.reason else "say why: `/reject REASON`"
    if not _DIGEST.fullmatch(command.digest):
        return "it needs the whole digest: `/approve DIGEST`, 64 characters"
    if command.digest != digest:
        return "that is not the digest that is waiting now"
    if confirm_word:
        return "destroying a whole environment is confirmed at the command line, by its name"
    name = answer.author.casefold()
    if approvers and name not in {approver.lstrip("@").casefold() for approver in approvers}:
        return "only the approvers that midas.toml names may approve this"
    if not may_self_approve and name in {requested_by.lstrip("@").casefold(), writer.casefold()}:
        return "whoever asked for this change may not approve it"
    return ""
