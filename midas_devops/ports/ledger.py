"""Ledger: intents, receipts, deployments, approvals, leases and the audit trail (rules 2, 3, 11, 13, 14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from midas_devops.domain.base import Value

if TYPE_CHECKING:
    from midas_devops.domain.approval import Approval


class Holder(Value):
    """A process that holds a lease. Together the fields name one process of one boot of one machine."""

    host: str
    boot_id: str
    pid: int
    started: float
    """Start time of the process, seconds since the epoch."""
    start_ticks: int = 0
    """Start time in clock ticks since boot, which no clock change moves; 0 where it is not told."""
    who: str = ""
    """For a person: ``run-… deploy v1.2 by ana``."""


class Lease(Value):
    """Exclusive right to change one resource (``env:staging``, ``run:<id>``)."""

    resource: str
    run_id: str
    token: int
    """Fencing token: grows with every acquisition of this resource."""
    holder: Holder
    acquired_at: datetime
    beat_at: datetime


class Effect(Value):
    """One intended change of the outside world."""

    key: str
    """run id + plan digest + step."""
    run_id: str
    what: str
    state: Literal["not_begun", "in_doubt", "done"]
    receipt: dict[str, Any] = {}
    begun_at: datetime | None = None
    ended_at: datetime | None = None


class RunRow(Value):
    """One run as ``runs list`` shows it, with the full record as plain JSON."""

    run_id: str
    operation: str
    environment: str
    status: str
    """As last stored; ``running`` may be stale, see :meth:`Ledger.lease`."""
    started_at: datetime
    ended_at: datetime | None = None
    requested_by: str
    record: dict[str, Any] = {}


class Deployment(Value):
    """One version on one environment. ``verified``: None until it was checked."""

    deployment_id: int = 0
    run_id: str
    environment: str
    version: str
    commit: str
    kind: Literal["deploy", "rollback"]
    started_at: datetime
    ended_at: datetime | None = None
    status: Literal["started", "succeeded", "failed"]
    verified: bool | None = None
    verified_at: datetime | None = None
    url: str = ""
    detail: str = ""
    committed_at: datetime | None = None
    """When the commit was made, by its committer's clock; None where that is not known."""


MessageState = Literal["waiting", "delivered", "given_up"]


class Message(Value):
    """One thing to be told to the tracker: queued first, delivered when the tracker can be reached."""

    number: int = 0
    key: str
    """Its identity: the same key is queued once."""
    run_id: str = ""
    topic: str
    """Messages of one topic are told in the order in which they were queued (an issue, a deployment)."""
    kind: Literal["comment", "deployment", "commit_status"]
    body: dict[str, Any]
    state: MessageState = "waiting"
    queued_at: datetime
    attempts: int = 0
    next_try_at: datetime
    last_error: str = ""
    delivered_at: datetime | None = None
    receipt: str = ""
    """Where it can be seen: a URL."""


class BlockedVersion(Value):
    """A version that may not go to an environment again until a person lifts it."""

    environment: str
    commit: str
    version: str
    reason: str
    run_id: str
    blocked_at: datetime


class InfraApply(Value):
    """One completed apply of one configuration."""

    run_id: str
    environment: str
    config: str
    commit: str
    """Commit that the configuration stood at; empty when it had uncommitted edits."""
    config_sha256: str
    ok: bool
    applied_at: datetime


class AuditEntry(Value):
    """One line of the append-only audit trail. ``hash`` chains over ``previous_hash`` and the content."""

    sequence: int
    at: datetime
    run_id: str
    actor: str
    event: str
    rule: str = ""
    data: dict[str, Any] = {}
    previous_hash: str
    hash: str


class Ledger(Protocol):
    """Durable and shared between processes. Every method is one transaction.

    Raises ``StorageError`` when the store cannot be read or written (corrupt, full, gone).
    """

    # runs
    def open_run(self, row: RunRow) -> None:
        """Store a new run; storing the same run id again changes nothing."""
        ...

    def save_run(self, run_id: str, status: str, record: dict[str, Any], ended: bool) -> None: ...
    def run(self, run_id: str) -> RunRow | None:
        """By id, or by a unique prefix of at least 6 characters."""
        ...

    def runs(self, *, environment: str = "", limit: int = 50) -> list[RunRow]:
        """Newest first."""
        ...

    # effects (rule 2)
    def begin(self, run_id: str, key: str, what: str) -> Effect:
        """Record the intent. An existing effect comes back as it is: ``in_doubt``, or ``done``."""
        ...

    def complete(self, key: str, receipt: dict[str, Any]) -> None:
        """Record the receipt. Idempotent."""
        ...

    def effects(self, run_id: str) -> list[Effect]: ...

    # approvals (rule 3)
    def record_approval(self, approval: Approval) -> None: ...
    def approvals(self, run_id: str, digest: str) -> list[Approval]:
        """Recorded for exactly this run and digest, and not consumed."""
        ...

    def consume_approvals(self, run_id: str, digest: str, needed: int, now: datetime) -> list[Approval]:
        """Take ``needed`` unexpired approvals of different people, or none. Each can be taken once.

        Raises ``ApprovalRefusedError``.
        """
        ...

    # leases (rule 13)
    def acquire(self, resource: str, run_id: str, holder: Holder, now: datetime, lapse: timedelta) -> Lease:
        """Take or re-enter (same run and holder) a lease. Raises ``LeaseTakenError`` with holder and age.

        A lease is free when its last beat is older than ``lapse`` or its holder is a dead process here.
        """
        ...

    def beat(self, lease: Lease, now: datetime) -> bool:
        """Keep it. False when the lease is no longer ours (its token moved on)."""
        ...

    def release(self, lease: Lease) -> None: ...
    def lease(self, resource: str) -> Lease | None:
        """The live lease, or None when it is free or has lapsed."""
        ...

    # releases (rule 11)
    def record_deployment(self, deployment: Deployment) -> int: ...
    def finish_deployment(
        self, deployment_id: int, *, status: str, url: str = "", detail: str = ""
    ) -> None: ...
    def set_verified(self, deployment_id: int, verified: bool | None, now: datetime) -> None:
        """A later failed verification revokes an earlier one."""
        ...

    def last_verified(self, environment: str, *, other_than: str = "") -> Deployment | None:
        """The newest deployment that is verified and whose commit is neither blocked nor ``other_than``."""
        ...

    def deployments(self, environment: str = "", limit: int = 50) -> list[Deployment]:
        """Newest first."""
        ...

    def block_version(self, blocked: BlockedVersion) -> None: ...
    def blocked_versions(self, environment: str) -> list[BlockedVersion]: ...
    def lift_block(self, environment: str, commit: str, by: str, reason: str) -> bool: ...

    # infrastructure
    def record_apply(self, applied: InfraApply) -> None: ...
    def last_good_apply(self, environment: str, config: str) -> InfraApply | None:
        """Newest successful apply of a configuration, also of one without a commit."""
        ...

    # what the tracker is to be told
    def queue_message(self, message: Message) -> bool:
        """Store it to be told. False when its key is there already, whatever became of it."""
        ...

    def messages(self, state: MessageState = "waiting", limit: int = 200) -> list[Message]:
        """Of one state, in the order in which they were queued."""
        ...

    def message(self, key: str) -> Message | None: ...
    def message_delivered(self, number: int, receipt: str, now: datetime) -> None:
        """Store the receipt. Idempotent."""
        ...

    def message_not_delivered(self, number: int, why: str, next_try_at: datetime | None) -> None:
        """Count the attempt; None gives the message up. Does nothing to one that was delivered."""
        ...

    # audit (rule 14)
    def audited(self, event: str, limit: int = 50) -> list[AuditEntry]:
        """Entries of one event, newest first."""
        ...

    def audit(
        self, run_id: str, actor: str, event: str, *, rule: str = "", data: dict[str, Any] | None = None
    ) -> None: ...
    def audit_trail(self, run_id: str = "") -> Iterator[AuditEntry]: ...
    def verify_audit(self) -> int:
        """Number of entries when the hash chain holds; ``StorageError`` names the first broken one."""
        ...

    def close(self) -> None: ...
