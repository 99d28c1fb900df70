"""Answers to a waiting run that stand on its issue as comments. Read when somebody resumes the run."""

from __future__ import annotations

from collections.abc import Callable

from midas_devops.config import Settings
from midas_devops.domain.approval import Review
from midas_devops.domain.changes import Pending
from midas_devops.domain.comment_review import Answering, CommentCommand, Role, parse_command, why_not
from midas_devops.domain.runs import parse_request
from midas_devops.errors import MidasError
from midas_devops.outbox import deliver, queue
from midas_devops.ports.bundle import Ports
from midas_devops.ports.ledger import RunRow
from midas_devops.ports.tracker import Comment, ReleaseTracker

MOST_REPLIES = 10
"""Of one run: a crowd of strangers is not answered one by one."""
MOST_ROLES = 50
"""Accounts whose permission is asked for in one look."""

Say = Callable[[str], None]


def next_answer(ports: Ports, policy: Settings, row: RunRow, say: Say) -> Review | None:
    """The first comment that answers what this run waits for; None when there is none.

    A comment with a command that does not count is answered once, with the reason. A tracker that cannot be
    reached is no answer.
    """
    pending = Pending.model_validate(row.record["pending"])
    number = parse_request(row.record["request"]).issue_number
    tracker = ports.tracker
    if policy.approvals.comment_permission is None or number is None:
        return None
    if not isinstance(tracker, ReleaseTracker):
        return None
    deliver(ports, at_once=True)  # an answer needs its question
    try:
        return _look(ports, policy, row, tracker, number, pending, say)
    except MidasError as away:
        say(f"the comments on issue {number} were not read: {away.message}")
        return None


def _look(
    ports: Ports,
    policy: Settings,
    row: RunRow,
    tracker: ReleaseTracker,
    number: int,
    pending: Pending,
    say: Say,
) -> Review | None:
    comments = tracker.comments(number)
    question = next((comment for comment in comments if _asks(comment, row.run_id, pending.digest)), None)
    if question is None:
        say(f"the question does not stand on issue {number}: answer with 'midas-devops runs approve'")
        return None
    production = policy.environment(row.environment).is_production
    approvals = policy.approvals
    given = {approval.by.casefold() for approval in ports.ledger.approvals(row.run_id, pending.digest)}
    replies, roles = 0, dict[str, Role]()
    for comment in comments:
        command = None if comment.ours else parse_command(comment.body)
        if command is None:
            continue
        if ports.ledger.message(_reply_key(row, comment)) is not None:
            replies += 1
            continue
        if command.decision == "approve" and comment.author.casefold() in given:
            continue
        if comment.author not in roles:
            if len(roles) >= MOST_ROLES:
                break
            roles[comment.author] = tracker.role(comment.author)
        refused = why_not(
            _answering(command, comment, roles[comment.author]),
            digest=pending.digest,
            asked_at=question.created_at,
            needs=approvals.comment_permission or "admin",
            requested_by=row.requested_by,
            writer=question.author,
            approvers=approvals.approvers,
            may_self_approve=approvals.self_approve or not production,
            confirm_word=pending.confirm_word,
        )
        if not refused and _take(ports, row, comment):
            return _review(command, comment)
        if not refused:
            say(f"the comment of {comment.author} was taken as an answer before; it counts once")
            continue
        if comment.created_at < question.created_at:
            continue  # said before this run asked anything: about another run
        say(f"the comment of {comment.author} does not count: {refused}")
        if replies < MOST_REPLIES:
            replies += 1
            _reply(ports, row, number, comment, refused)
    deliver(ports)
    return None


def _take(ports: Ports, row: RunRow, comment: Comment) -> bool:
    """A comment is one answer to one question, also where two runs on one issue ask for the same digest."""
    key = f"comment/{comment.url}"
    taken = ports.ledger.begin(row.run_id, key, f"take the answer of {comment.author}")
    ports.ledger.complete(key, {"ok": True, "summary": comment.url})
    return taken.state == "not_begun"


def _asks(comment: Comment, run_id: str, digest: str) -> bool:
    """Whether this is our question, unchanged in what matters."""
    marked = comment.body.rstrip().endswith(f"<!-- midas-devops:{run_id} -->")
    return comment.ours and marked and digest in comment.body


def _answering(command: CommentCommand, comment: Comment, role: Role) -> Answering:
    return Answering(
        command=command,
        author=comment.author,
        is_person=comment.is_person,
        role=role,
        created_at=comment.created_at,
        updated_at=comment.updated_at,
    )


def _review(command: CommentCommand, comment: Comment) -> Review:
    reason = f"{command.reason} ({comment.url})" if command.reason else f"see {comment.url}"
    return Review(decision=command.decision, digest=command.digest, by=comment.author, reason=reason)


def _reply(ports: Ports, row: RunRow, number: int, comment: Comment, refused: str) -> None:
    ports.ledger.audit(
        row.run_id,
        comment.author,
        "answer refused",
        rule="3",
        data={"why": refused, "comment": comment.url},
    )
    text = (
        f"@{comment.author} thank you, but this is not taken as an answer: {refused}.\n\nRun `{row.run_id}`"
    )
    body = {"issue": number, "text": text, "marker": f"{row.run_id}/answer-{comment.comment_id}"}
    queue(ports, _reply_key(row, comment), "comment", f"issue {number}", body, run_id=row.run_id)


def _reply_key(row: RunRow, comment: Comment) -> str:
    return f"{row.run_id}/answer/{comment.comment_id}"
