"""Rows of the ledger's tables ↔ the values of its port."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from midas_devops.ports.ledger import (
    AuditEntry,
    BlockedVersion,
    Deployment,
    Effect,
    Holder,
    InfraApply,
    Lease,
    Message,
    RunRow,
)

if TYPE_CHECKING:
    from midas_devops.domain.approval import Approval

Row = Mapping[str, Any]

NO_HASH = "0" * 64
"""What the first entry of the audit trail chains to."""


def time_text(time: datetime) -> str:
    """UTC in ISO 8601, always of the same length, so that texts compare as the times do."""
    if time.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def json_text(value: Any) -> str:
    """JSON in ASCII: no database refuses any character of it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def storable(text: str) -> str:
    """A text that every database takes: without NUL, and with what is no character replaced."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def audit_hash(row: Row) -> str:
    """SHA-256 over an entry as it is stored and the hash before it."""
    import hashlib

    content = [row[column] for column in ("sequence", "at", "run_id", "actor", "event", "rule", "data")]
    return hashlib.sha256(json_text([*content, row["previous_hash"]]).encode()).hexdigest()


def run_of(row: Row) -> RunRow:
    return RunRow(
        run_id=row["run_id"],
        operation=row["operation"],
        environment=row["environment"],
        status=row["status"],
        started_at=_time(row["started_at"]),
        ended_at=_time_or_none(row["ended_at"]),
        requested_by=row["requested_by"],
        record=json.loads(row["record"]),
    )


def effect_of(row: Row) -> Effect:
    return Effect(
        key=row["effect_key"],
        run_id=row["run_id"],
        what=row["what"],
        state=row["state"],
        receipt=json.loads(row["receipt"]),
        begun_at=_time(row["begun_at"]),
        ended_at=_time_or_none(row["ended_at"]),
    )


def approval_of(row: Row) -> Approval:
    from midas_devops.domain.approval import Approval

    return Approval(
        run_id=row["run_id"],
        digest=row["digest"],
        by=row["approved_by"],
        reason=row["reason"],
        given_at=_time(row["given_at"]),
        expires_at=_time(row["expires_at"]),
    )


def lease_of(row: Row) -> Lease:
    return Lease(
        resource=row["resource"],
        run_id=row["run_id"],
        token=row["token"],
        holder=Holder.model_validate_json(row["holder"]),
        acquired_at=_time(row["acquired_at"]),
        beat_at=_time(row["beat_at"]),
    )


def deployment_of(row: Row) -> Deployment:
    return Deployment(
        deployment_id=row["number"],
        run_id=row["run_id"],
        environment=row["environment"],
        version=row["version"],
        commit=row["commit_sha"],
        kind=row["kind"],
        started_at=_time(row["started_at"]),
        ended_at=_time_or_none(row["ended_at"]),
        status=row["status"],
        verified=None if row["verified"] is None else bool(row["verified"]),
        verified_at=_time_or_none(row["verified_at"]),
        url=row["url"],
        detail=row["detail"],
        # A ledger that is only read may be of a version without this column.
        committed_at=_time_or_none(row.get("committed_at") or ""),
    )


def message_of(row: Row) -> Message:
    return Message(
        number=row["number"],
        key=row["message_key"],
        run_id=row["run_id"],
        topic=row["topic"],
        kind=row["kind"],
        body=json.loads(row["body"]),
        state=row["state"],
        queued_at=_time(row["queued_at"]),
        attempts=row["attempts"],
        next_try_at=_time(row["next_try_at"]),
        last_error=row["last_error"],
        delivered_at=_time_or_none(row["delivered_at"]),
        receipt=row["receipt"],
    )


def blocked_of(row: Row) -> BlockedVersion:
    return BlockedVersion(
        environment=row["environment"],
        commit=row["commit_sha"],
        version=row["version"],
        reason=row["reason"],
        run_id=row["run_id"],
        blocked_at=_time(row["blocked_at"]),
    )


def apply_of(row: Row) -> InfraApply:
    return InfraApply(
        run_id=row["run_id"],
        environment=row["environment"],
        config=row["config"],
        commit=row["commit_sha"],
        config_sha256=row["config_sha256"],
        ok=bool(row["ok"]),
        applied_at=_time(row["applied_at"]),
    )


def audit_of(row: Row) -> AuditEntry:
    return AuditEntry(
        sequence=row["sequence"],
        at=_time(row["at"]),
        run_id=row["run_id"],
        actor=row["actor"],
        event=row["event"],
        rule=row["rule"],
        data=json.loads(row["data"]),
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
