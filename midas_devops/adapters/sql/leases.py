"""One environment, one change: who holds a lease, and when it is free (rule 13)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, case, insert, update

from midas_devops.adapters.sql.reading import is_free
from midas_devops.adapters.sql.rows import time_text
from midas_devops.adapters.sql.schema import leases
from midas_devops.errors import LeaseTakenError
from midas_devops.ports.ledger import Holder, Lease
from midas_devops.safety.processes import same_process


def acquired(
    resource: str,
    run_id: str,
    holder: Holder,
    now: datetime,
    lapse: timedelta,
    *,
    before: Lease | None,
    held: bool,
) -> Lease:
    """The lease as it is after acquiring it. ``before`` is what was stored, released or not.

    Raises ``LeaseTakenError``.
    """
    if before is not None and held:
        if before.run_id == run_id and same_process(before.holder, holder):
            return before.model_copy(update={"beat_at": max(before.beat_at, now)})
        if not is_free(before, now, lapse):
            raise _taken(before, now)
    token = before.token + 1 if before is not None else 1
    return Lease(resource=resource, run_id=run_id, token=token, holder=holder, acquired_at=now, beat_at=now)


def _taken(lease: Lease, now: datetime) -> LeaseTakenError:
    who = lease.holder.who or f"run {lease.run_id}"
    age = max(0, round((now - lease.acquired_at).total_seconds()))
    beat = max(0, round((now - lease.beat_at).total_seconds()))
    # A look at drift holds the lease without being a run that could be shown.
    is_run = not lease.run_id.startswith("drift-")
    look = f", or look at it: midas-devops runs show {lease.run_id}" if is_run else ""
    return LeaseTakenError(
        f"{lease.resource} is being changed by {who} (run {lease.run_id}, process {lease.holder.pid} on "
        f"{lease.holder.host}) for {age} s; last sign of life {beat} s ago",
        hint=f"wait for it{look}",
        location=lease.resource,
    )


def store(connection: Connection, lease: Lease, *, is_new: bool) -> None:
    values = {
        "run_id": lease.run_id,
        "token": lease.token,
        "holder": lease.holder.model_dump_json(),
        "acquired_at": time_text(lease.acquired_at),
        "beat_at": time_text(lease.beat_at),
        "held": 1,
    }
    if is_new:
        connection.execute(insert(leases).values(resource=lease.resource, **values))
    else:
        connection.execute(update(leases).where(leases.c.resource == lease.resource).values(values))


def beat(connection: Connection, lease: Lease, now: datetime) -> bool:
    moment = time_text(now)
    # A clock that was set back does not take back a beat: set right again, it would find a lapsed lease.
    later = case((leases.c.beat_at < moment, moment), else_=leases.c.beat_at)
    done = connection.execute(update(leases).where(*_ours(lease)).values(beat_at=later))
    return bool(done.rowcount == 1)


def release(connection: Connection, lease: Lease) -> None:
    connection.execute(update(leases).where(*_ours(lease)).values(held=0))


def _ours(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (leases.c.resource == lease.resource, leases.c.token == lease.token, leases.c.held == 1)
