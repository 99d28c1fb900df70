"""What the tracker is to be told: queued in the ledger first, delivered when the tracker can be reached.

A message is sent at least once, and every send can be repeated without a trace (comments and deployments are
found again by their marker), so it arrives once in effect. A tracker that is away delays nothing but itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from midas_devops.domain.base import Value
from midas_devops.errors import BlockedError, LeaseTakenError, MidasError, RemoteError
from midas_devops.ports.bundle import Ports
from midas_devops.ports.ledger import Message
from midas_devops.ports.tracker import IssueTracker, ReleaseStatus, ReleaseTracker

LEASE = "tracker"
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
"""A message that the tracker goes on refusing is given up after so long; an outage never ends it."""
MOST_AT_ONCE = 1000
_NOBODY_IS_ANSWERED = frozenset(
    {"rate_limited", "unreachable", "timed_out", "unavailable", "unauthorized", "unreadable"}
)


class Delivery(Value):
    """What became of the messages that waited."""

    delivered: int = 0
    waiting: int = 0
    given_up: int = 0
    why: str = ""
    """Why the first of those that wait still does; empty when none does, or none was tried."""


def queue(
    ports: Ports,
    key: str,
    kind: Literal["comment", "deployment", "commit_status"],
    topic: str,
    body: Mapping[str, object],
    *,
    run_id: str = "",
) -> None:
    """Put one message into the ledger, redacted (rule 8). The same key is queued once."""
    now = ports.clock()
    redacted: dict[str, Any] = ports.redactor.json(dict(body))
    ports.ledger.queue_message(
        Message(key=key, run_id=run_id, topic=topic, kind=kind, body=redacted, queued_at=now, next_try_at=now)
    )


def deliver(ports: Ports, *, at_once: bool = False) -> Delivery:
    """Tell the tracker what waits, each topic in its order. Only the ledger's errors are raised.

    With ``at_once`` messages are tried before their pause is over.
    """
    tracker, ledger = ports.tracker, ports.ledger
    if tracker is None:
        return Delivery()
    if not ledger.messages(limit=1):
        return _summary(ports, 0)
    holder = f"tracker-{os.getpid()}-{ports.clock():%H%M%S%f}"
    try:
        ports.leases.hold(LEASE, holder, "telling the tracker")
    except LeaseTakenError as other:
        return _summary(ports, 0, f"another process is telling the tracker: {other.message}")
    try:
        return _deliver(ports, tracker, at_once=at_once)
    finally:
        ports.leases.release_all(holder)


def _deliver(ports: Ports, tracker: IssueTracker, *, at_once: bool) -> Delivery:
    ledger = ports.ledger
    delivered, why, away = 0, "", False
    held: set[str] = set()
    for message in ledger.messages(limit=MOST_AT_ONCE):
        now = ports.clock()
        if message.topic in held:
            continue
        if not at_once and message.next_try_at > now:
            held.add(message.topic)
            continue
        if away:
            # Not asked again in this round; its pause begins as that of the one that was asked.
            ledger.message_not_delivered(message.number, why, now + _pause(message.attempts))
            held.add(message.topic)
            continue
        try:
            ports.leases.check(LEASE)
            receipt = _SEND[message.kind](tracker, message.body)
        except BlockedError as lost:
            return _summary(ports, delivered, lost.message)
        except MidasError as failed:
            why = why or ports.redactor.text(failed.message)
            away = isinstance(failed, RemoteError) and failed.reason in _NOBODY_IS_ANSWERED
            _not_delivered(ports, message, failed, now)
            held.add(message.topic)
            continue
        ledger.message_delivered(message.number, receipt, now)
        delivered += 1
        ledger.audit(
            message.run_id, "midas-devops", "tracker told", data={"key": message.key, "url": receipt}
        )
    return _summary(ports, delivered, why)


def _not_delivered(ports: Ports, message: Message, failed: MidasError, now: datetime) -> None:
    reason = failed.reason if isinstance(failed, RemoteError) else "refused"
    refused = reason not in _NOBODY_IS_ANSWERED
    hopeless = reason == "gone" or (refused and now - message.queued_at > GIVE_UP_AFTER)
    why = ports.redactor.text(failed.message)
    ports.ledger.message_not_delivered(
        message.number, why, None if hopeless else now + _pause(message.attempts)
    )
    if hopeless or not message.attempts:
        ports.ledger.audit(
            message.run_id,
            "midas-devops",
            "tracker given up" if hopeless else "tracker not told",
            data={"key": message.key, "why": why},
        )


def _pause(attempts: int) -> timedelta:
    """30 s, doubled with every attempt, at most 6 hours."""
    return min(FIRST_WAIT * int(2 ** min(attempts, 20)), LONGEST_WAIT)


def _summary(ports: Ports, delivered: int, why: str = "") -> Delivery:
    waiting = ports.ledger.messages(limit=1000)
    if waiting and not why:
        why = next((message.last_error for message in waiting if message.last_error), "")
    given_up = len(ports.ledger.messages("given_up", limit=1000))
    return Delivery(delivered=delivered, waiting=len(waiting), given_up=given_up, why=why if waiting else "")


def _comment(tracker: IssueTracker, body: Mapping[str, Any]) -> str:
    return tracker.add_issue_comment(int(body["issue"]), str(body["text"]), marker=str(body["marker"]))


def _deployment(tracker: IssueTracker, body: Mapping[str, Any]) -> str:
    if not isinstance(tracker, ReleaseTracker):
        return ""
    return tracker.record_deployment(ReleaseStatus.model_validate(body))


def _commit_status(tracker: IssueTracker, body: Mapping[str, Any]) -> str:
    if not isinstance(tracker, ReleaseTracker):
        return ""
    return tracker.set_commit_status(
        str(body["commit"]),
        context=str(body["context"]),
        state=body["state"],
        description=str(body["description"]),
        target_url=str(body["target_url"]),
    )


_SEND: dict[str, Callable[[IssueTracker, Mapping[str, Any]], str]] = {
    "comment": _comment,
    "deployment": _deployment,
    "commit_status": _commit_status,
}
