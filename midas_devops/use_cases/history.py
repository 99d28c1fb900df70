"""What happened to an environment: who, what, when, why and how it ended; and DORA's figures of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from midas_devops.config import Settings
from midas_devops.domain.dora import Deployed, four_figures
from midas_devops.domain.runs import RunStatus
from midas_devops.ports.ledger import AuditEntry, Deployment, RunRow

Json = dict[str, Any]

REPORTED = "deployment status"
"""Event of a deployment that somebody else carried out."""
_ALL = 100_000


class History(Protocol):
    """The part of the ledger that this needs."""

    def run(self, run_id: str) -> RunRow | None: ...
    def deployments(self, environment: str = "", limit: int = 50) -> list[Deployment]: ...
    def audited(self, event: str, limit: int = 50) -> list[AuditEntry]: ...


def history_json(reader: History, environment: str, *, limit: int = 50) -> list[Json]:
    """Deployments, rollbacks and reported statuses of one environment, newest first."""
    entries = [_deployed(reader, made) for made in reader.deployments(environment, limit)]
    for said in reader.audited(REPORTED, _ALL):
        if said.data.get("environment") == environment:
            entries.append(_reported(said))
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:limit]


def dora_json(reader: History, settings: Settings, environment: str, *, days: int, now: datetime) -> Json:
    """The four figures of one environment over the last days."""
    record = reader.deployments(environment, _ALL)
    left = _rolled_back_from(record)
    made = [_for_figures(reader, one, rolled_back=one.deployment_id in left) for one in record]
    figures = four_figures(made, since=now - timedelta(days=days), until=now)
    known = settings.environment(environment)
    return {
        "environment": environment,
        "production": known.is_production,
        "days": days,
        **figures.model_dump(mode="json"),
    }


def _deployed(reader: History, made: Deployment) -> Json:
    row = reader.run(made.run_id)
    record: Mapping[str, Any] = row.record if row else {}
    request = record.get("request") or {}
    answers = record.get("answers") or []
    return {
        "at": _time(made.started_at),
        "ended_at": _time(made.ended_at),
        "kind": made.kind,
        "version": made.version,
        "commit": made.commit,
        "outcome": _outcome(made),
        "verified": made.verified,
        "verified_at": _time(made.verified_at),
        "by": row.requested_by if row else "",
        "approved_by": [given["by"] for given in answers if given.get("decision") == "approve"],
        "why": _why(made, record, answers),
        "issue": request.get("issue_number"),
        "detail": made.detail,
        "run_id": made.run_id,
        "run_status": row.status if row else "",
    }


def _outcome(made: Deployment) -> str:
    if made.verified is False and made.status == "succeeded":
        return "failed verification"
    if made.status == "succeeded":
        return "verified" if made.verified else "not verified"
    return made.status


def _why(made: Deployment, record: Mapping[str, Any], answers: list[Mapping[str, Any]]) -> str:
    """A rollback's reason is what was found wrong; a deployment's is what those said who asked or allowed."""
    request = record.get("request") or {}
    diagnosis = record.get("diagnosis") or {}
    if made.kind == "rollback" and diagnosis.get("summary"):
        return str(diagnosis["summary"])
    said = [str(request.get("reason") or "")]
    said += [str(given.get("reason") or "") for given in answers if given.get("decision") == "approve"]
    return "; ".join(reason for reason in said if reason)


def _reported(said: AuditEntry) -> Json:
    return {
        "at": _time(said.at),
        "ended_at": _time(said.at),
        "kind": "reported",
        "version": "",
        "commit": "",
        "outcome": str(said.data.get("status", "")),
        "verified": None,
        "verified_at": None,
        "by": said.actor,
        "approved_by": [],
        "why": str(said.data.get("details", "")),
        "issue": None,
        "detail": "",
        "run_id": "",
        "run_status": "",
    }


def _rolled_back_from(record: list[Deployment]) -> set[int]:
    """Deployments that a rollback led away from, verified or not: they needed an intervention."""
    left: set[int] = set()
    current: Deployment | None = None
    for made in sorted(record, key=lambda one: (one.started_at, one.deployment_id)):
        if made.kind == "rollback" and current is not None and current.commit != made.commit:
            left.add(current.deployment_id)
        if made.status == "succeeded":
            current = made
    return left


def _for_figures(reader: History, made: Deployment, *, rolled_back: bool) -> Deployed:
    failed = made.status == "failed" or made.verified is False or (rolled_back and made.kind == "deploy")
    good = False if failed else True if made.verified else None
    settled = made.verified_at if made.verified is not None else made.ended_at
    restored = None
    if failed and made.kind == "deploy":
        row = reader.run(made.run_id)
        if row is not None and row.status == RunStatus.ROLLED_BACK:
            restored = row.ended_at
    return Deployed(
        started_at=made.started_at,
        settled_at=settled,
        good=good,
        is_rollback=made.kind == "rollback",
        committed_at=made.committed_at,
        restored_at=restored,
    )


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
