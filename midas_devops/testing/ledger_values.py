"""Values that the ledger's conformance suite is written with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from midas_devops.domain.approval import Approval
from midas_devops.ports.ledger import BlockedVersion, Deployment, Holder, InfraApply, Ledger, Message, RunRow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LAPSE = timedelta(seconds=30)
DIGEST = "d" * 64
ELSEWHERE = Holder(host="another-host", boot_id="another-boot", pid=4711, started=1.0, who="deploy v2 by ben")


class OpenLedger(Protocol):
    """Opens the ledger under test."""

    def __call__(self, clock: Callable[[], datetime] | None = None) -> Ledger: ...


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def run_row(run_id: str = "run-0123456789", **changes: Any) -> RunRow:
    row = RunRow(
        run_id=run_id,
        operation="deploy_release",
        environment="staging",
        status="running",
        started_at=NOW,
        requested_by="ana",
    )
    return row.model_copy(update=changes)


def approval(by: str = "ben", **changes: Any) -> Approval:
    given = Approval(
        run_id="run-1", digest=DIGEST, by=by, reason="read it", given_at=NOW, expires_at=after(3600)
    )
    return given.model_copy(update=changes)


def deployment(commit: str, **changes: Any) -> Deployment:
    made = Deployment(
        run_id="run-1",
        environment="staging",
        version=commit[:3],
        commit=commit,
        kind="deploy",
        started_at=NOW,
        status="started",
    )
    return made.model_copy(update=changes)


def message(key: str = "run-1/comment/ended", **changes: Any) -> Message:
    queued = Message(
        key=key,
        run_id="run-1",
        topic="issue-7",
        kind="comment",
        body={"issue": 7, "text": "done", "marker": "run-1"},
        queued_at=NOW,
        next_try_at=NOW,
    )
    return queued.model_copy(update=changes)


def block(commit: str, environment: str = "staging") -> BlockedVersion:
    return BlockedVersion(
        environment=environment, commit=commit, version="v1", reason="crashes", run_id="run-1", blocked_at=NOW
    )


def applied(commit: str, *, ok: bool = True, environment: str = "staging") -> InfraApply:
    return InfraApply(
        run_id="run-1",
        environment=environment,
        config="infra/staging",
        commit=commit,
        config_sha256="c" * 64,
        ok=ok,
        applied_at=NOW,
    )
