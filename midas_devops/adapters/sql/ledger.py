"""The ledger: one implementation for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, update

from midas_devops.adapters.sql import leases, queries, rows, schema
from midas_devops.adapters.sql.address import Address, parse_address
from midas_devops.adapters.sql.approvals import choose
from midas_devops.adapters.sql.engine import connect, prepare, select_from, select_on, writing
from midas_devops.adapters.sql.reading import LedgerReads, utc_now
from midas_devops.adapters.sql.rows import json_text, storable, time_text
from midas_devops.domain.approval import Approval
from midas_devops.errors import ApprovalRefusedError, StorageError
from midas_devops.ports.ledger import (
    BlockedVersion,
    Deployment,
    Effect,
    Holder,
    InfraApply,
    Lease,
    Message,
    RunRow,
)
from midas_devops.safety.redaction import Redactor


def open_ledger(
    url: str,
    root: Path,
    *,
    redactor: Redactor | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> SqlLedger:
    """The ledger of a project, created when it is not there yet. A relative path starts at ``root``.

    A ``redactor`` stands in front of every free text and JSON that is stored. Raises ``ConfigError`` for a
    URL that is none, ``StorageError`` for a ledger that cannot be read or written.
    """
    address = parse_address(url, root)
    engine = connect(address)
    try:
        prepare(address, engine, root)
    except BaseException:
        engine.dispose()
        raise
    return SqlLedger(address, engine, redactor=redactor, clock=clock)


class SqlLedger(LedgerReads):
    """Every method is one transaction, and no two writers' transactions overlap."""

    def __init__(
        self,
        address: Address,
        engine: Engine,
        *,
        redactor: Redactor | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(address, select_from(engine, address), clock=clock)
        self._engine = engine
        self._redactor = redactor

    def open_run(self, row: RunRow) -> None:
        """Store a new run; storing the same run id again changes nothing."""
        with writing(self._engine, self._address, f"store run {row.run_id}") as connection:
            if select_on(connection, queries.RUN, {"run_id": row.run_id}):
                return
            connection.execute(
                insert(schema.runs).values(
                    run_id=row.run_id,
                    operation=row.operation,
                    environment=row.environment,
                    status=row.status,
                    started_at=time_text(row.started_at),
                    ended_at=time_text(row.ended_at) if row.ended_at else "",
                    requested_by=self._text(row.requested_by),
                    record=self._json(row.record),
                )
            )

    def save_run(self, run_id: str, status: str, record: dict[str, Any], ended: bool) -> None:
        """Store a run's status and record. The first end stays; a run that goes on again has none."""
        with writing(self._engine, self._address, f"save run {run_id}") as connection:
            found = select_on(connection, queries.RUN, {"run_id": run_id})
            if not found:
                raise self._unknown(f"run {run_id}")
            ended_at = (found[0]["ended_at"] or time_text(self._clock())) if ended else ""
            connection.execute(
                update(schema.runs)
                .where(schema.runs.c.run_id == run_id)
                .values(status=status, record=self._json(record), ended_at=ended_at)
            )

    def begin(self, run_id: str, key: str, what: str) -> Effect:
        """Record the intent. ``not_begun`` is the answer to the one caller who may go ahead."""
        with writing(self._engine, self._address, f"record the intent {key}") as connection:
            found = select_on(connection, queries.EFFECT, {"effect_key": key})
            if found:
                return self._values(rows.effect_of, found)[0]
            begun_at = self._clock()
            what = self._text(what)
            connection.execute(
                insert(schema.effects).values(
                    effect_key=key,
                    run_id=run_id,
                    what=what,
                    state="in_doubt",
                    receipt="{}",
                    begun_at=time_text(begun_at),
                    ended_at="",
                )
            )
        return Effect(key=key, run_id=run_id, what=what, state="not_begun", begun_at=begun_at)

    def complete(self, key: str, receipt: dict[str, Any]) -> None:
        """Record the receipt. The first one stays."""
        with writing(self._engine, self._address, f"record the receipt {key}") as connection:
            found = select_on(connection, queries.EFFECT, {"effect_key": key})
            if not found:
                raise self._unknown(f"intent {key}")
            if found[0]["state"] == "done":
                return
            connection.execute(
                update(schema.effects)
                .where(schema.effects.c.effect_key == key)
                .values(state="done", receipt=self._json(receipt), ended_at=time_text(self._clock()))
            )

    def record_approval(self, approval: Approval) -> None:
        """Record who said yes. The same person's later word replaces the earlier one.

        Raises ``ApprovalRefusedError`` when the digest was used already: an approval is good for one effect.
        """
        named = {"run_id": approval.run_id, "digest": approval.digest}
        by = self._text(approval.by)
        content = {
            "reason": self._text(approval.reason),
            "given_at": time_text(approval.given_at),
            "expires_at": time_text(approval.expires_at),
        }
        with writing(self._engine, self._address, f"approve run {approval.run_id}") as connection:
            found = select_on(connection, queries.APPROVALS, named)
            if any(row["consumed_at"] for row in found):
                raise ApprovalRefusedError(
                    f"the digest {approval.digest[:12]}… was approved and used already",
                    hint="look at what the run asks for now: runs show",
                    location=approval.run_id,
                )
            again = [row["number"] for row in found if self._text(row["approved_by"]) == by]
            if again:
                chosen = schema.approvals.c.number == again[0]
                connection.execute(update(schema.approvals).where(chosen).values(content))
                return
            connection.execute(
                insert(schema.approvals).values(**named, approved_by=by, consumed_at="", **content)
            )

    def consume_approvals(self, run_id: str, digest: str, needed: int, now: datetime) -> list[Approval]:
        """Take ``needed`` approvals, by different people, unexpired, at once or none.

        Raises ``ApprovalRefusedError``.
        """
        if needed <= 0:
            return []
        with writing(self._engine, self._address, f"use the approval of run {run_id}") as connection:
            found = select_on(connection, queries.APPROVALS, {"run_id": run_id, "digest": digest})
            chosen = choose(found, run_id=run_id, digest=digest, needed=needed, now=now, shown=self._text)
            connection.execute(
                update(schema.approvals)
                .where(schema.approvals.c.number.in_([row["number"] for row in chosen]))
                .values(consumed_at=time_text(now))
            )
            return self._values(rows.approval_of, chosen)

    def acquire(self, resource: str, run_id: str, holder: Holder, now: datetime, lapse: timedelta) -> Lease:
        """Take or re-enter (same run and holder) a lease. Raises ``LeaseTakenError`` with holder and age."""
        holder = holder.model_copy(update={"who": self._text(holder.who)})
        with writing(self._engine, self._address, f"take the lease {resource}") as connection:
            found = select_on(connection, queries.LEASE, {"resource": resource})
            before = self._values(rows.lease_of, found)
            held = bool(found) and bool(found[0]["held"])
            lease = leases.acquired(
                resource, run_id, holder, now, lapse, before=before[0] if before else None, held=held
            )
            leases.store(connection, lease, is_new=not found)
        return lease

    def beat(self, lease: Lease, now: datetime) -> bool:
        """Keep it. False when the lease is no longer ours (its token moved on)."""
        with writing(self._engine, self._address, f"keep the lease {lease.resource}") as connection:
            return leases.beat(connection, lease, now)

    def release(self, lease: Lease) -> None:
        """Give it back. Does nothing when it is no longer ours."""
        with writing(self._engine, self._address, f"release the lease {lease.resource}") as connection:
            leases.release(connection, lease)

    def record_deployment(self, deployment: Deployment) -> int:
        """Store the beginning of a deployment; its number."""
        with writing(self._engine, self._address, "record a deployment") as connection:
            stored = connection.execute(
                insert(schema.deployments).values(
                    run_id=deployment.run_id,
                    environment=deployment.environment,
                    version=deployment.version,
                    commit_sha=deployment.commit,
                    kind=deployment.kind,
                    started_at=time_text(deployment.started_at),
                    ended_at=time_text(deployment.ended_at) if deployment.ended_at else "",
                    status=deployment.status,
                    verified=None if deployment.verified is None else int(deployment.verified),
                    verified_at=time_text(deployment.verified_at) if deployment.verified_at else "",
                    url=self._text(deployment.url),
                    detail=self._text(deployment.detail),
                    committed_at=time_text(deployment.committed_at) if deployment.committed_at else "",
                )
            )
            return int((stored.inserted_primary_key or [0])[0])

    def finish_deployment(self, deployment_id: int, *, status: str, url: str = "", detail: str = "") -> None:
        """Store how it ended. An empty ``url`` or ``detail`` leaves what was known."""
        values = {"status": status, "ended_at": time_text(self._clock())}
        values.update({"url": self._text(url)} if url else {})
        values.update({"detail": self._text(detail)} if detail else {})
        self._update_deployment(deployment_id, values)

    def set_verified(self, deployment_id: int, verified: bool | None, now: datetime) -> None:
        """A later failed verification revokes an earlier one."""
        value = None if verified is None else int(verified)
        self._update_deployment(deployment_id, {"verified": value, "verified_at": time_text(now)})

    def block_version(self, blocked: BlockedVersion) -> None:
        """Block a commit for an environment. One that is blocked already keeps its first reason."""
        with writing(self._engine, self._address, f"block {blocked.version}") as connection:
            if self._block(connection, blocked.environment, blocked.commit):
                return
            connection.execute(
                insert(schema.blocked_versions).values(
                    environment=blocked.environment,
                    commit_sha=blocked.commit,
                    version=blocked.version,
                    reason=self._text(blocked.reason),
                    run_id=blocked.run_id,
                    blocked_at=time_text(blocked.blocked_at),
                    lifted_at="",
                    lifted_by="",
                    lifted_reason="",
                )
            )

    def lift_block(self, environment: str, commit: str, by: str, reason: str) -> bool:
        """Let a version go there again. False when it was not blocked."""
        with writing(self._engine, self._address, f"lift the block of {commit}") as connection:
            number = self._block(connection, environment, commit)
            if not number:
                return False
            connection.execute(
                update(schema.blocked_versions)
                .where(schema.blocked_versions.c.number == number)
                .values(
                    lifted_at=time_text(self._clock()),
                    lifted_by=self._text(by),
                    lifted_reason=self._text(reason),
                )
            )
            return True

    def record_apply(self, applied: InfraApply) -> None:
        """Store a completed apply."""
        with writing(self._engine, self._address, "record an apply") as connection:
            connection.execute(
                insert(schema.applies).values(
                    run_id=applied.run_id,
                    environment=applied.environment,
                    config=applied.config,
                    commit_sha=applied.commit,
                    config_sha256=applied.config_sha256,
                    ok=int(applied.ok),
                    applied_at=time_text(applied.applied_at),
                )
            )

    def queue_message(self, message: Message) -> bool:
        """Store what is to be told. False when its key is there already."""
        with writing(self._engine, self._address, f"queue {message.key}") as connection:
            if select_on(connection, queries.MESSAGE, {"message_key": message.key}):
                return False
            connection.execute(
                insert(schema.outbox).values(
                    message_key=message.key,
                    run_id=message.run_id,
                    topic=message.topic,
                    kind=message.kind,
                    body=self._json(message.body),
                    state="waiting",
                    queued_at=time_text(message.queued_at),
                    attempts=0,
                    next_try_at=time_text(message.next_try_at),
                    last_error="",
                    delivered_at="",
                    receipt="",
                )
            )
            return True

    def message_delivered(self, number: int, receipt: str, now: datetime) -> None:
        """Store the receipt. The first one stays."""
        values = {"state": "delivered", "delivered_at": time_text(now), "receipt": self._text(receipt)}
        self._update_message(number, values)

    def message_not_delivered(self, number: int, why: str, next_try_at: datetime | None) -> None:
        """Count the attempt, and say when the next one is due; None gives it up."""
        again = {"next_try_at": time_text(next_try_at)} if next_try_at else {"state": "given_up"}
        self._update_message(number, {"last_error": self._text(why), **again})

    def audit(
        self, run_id: str, actor: str, event: str, *, rule: str = "", data: dict[str, Any] | None = None
    ) -> None:
        """Append one entry to the trail."""
        with writing(self._engine, self._address, f"write the audit entry {event}") as connection:
            head = select_on(connection, queries.AUDIT_HEAD, {})
            last, _, previous = str(head[0]["value"]).partition(":") if head else ("0", "", rows.NO_HASH)
            entry: dict[str, Any] = {
                "sequence": int(last) + 1,
                "at": time_text(self._clock()),
                "run_id": run_id,
                "actor": self._text(actor),
                "event": event,
                "rule": rule,
                "data": self._json(data or {}),
                "previous_hash": previous,
            }
            entry["hash"] = rows.audit_hash(entry)
            connection.execute(insert(schema.audit).values(entry))
            value = f"{entry['sequence']}:{entry['hash']}"
            if head:
                at_head = schema.meta.c.name == "audit_head"
                connection.execute(update(schema.meta).where(at_head).values(value=value))
            else:
                connection.execute(insert(schema.meta).values(name="audit_head", value=value))

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def _update_deployment(self, deployment_id: int, values: Mapping[str, Any]) -> None:
        with writing(self._engine, self._address, f"update deployment {deployment_id}") as connection:
            chosen = schema.deployments.c.number == deployment_id
            done = connection.execute(update(schema.deployments).where(chosen).values(values))
            if done.rowcount != 1:
                raise self._unknown(f"deployment {deployment_id}")

    def _update_message(self, number: int, values: Mapping[str, Any]) -> None:
        waiting = (schema.outbox.c.number == number, schema.outbox.c.state == "waiting")
        counted = {"attempts": schema.outbox.c.attempts + 1, **values}
        with writing(self._engine, self._address, f"update message {number}") as connection:
            connection.execute(update(schema.outbox).where(*waiting).values(counted))

    def _block(self, connection: Connection, environment: str, commit: str) -> int:
        """Number of the block that is in force; 0 when there is none."""
        active = select_on(connection, queries.BLOCKED_VERSIONS, {"environment": environment})
        return next((int(row["number"]) for row in active if row["commit_sha"] == commit), 0)

    def _text(self, text: str) -> str:
        return storable(self._redactor.text(text) if self._redactor else text)

    def _json(self, value: dict[str, Any]) -> str:
        return json_text(self._redactor.json(value) if self._redactor else value)

    def _unknown(self, what: str) -> StorageError:
        return StorageError(
            f"the ledger has no {what}",
            hint="it was written to another ledger: check [storage] url in midas.toml",
            location=self._address.shown,
        )
