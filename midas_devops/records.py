"""Runs and environments as the JSON that scripts read. Needs a ledger only, no graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from midas_devops.config import Settings
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.runs import EXIT_CODES, RunStatus
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.ledger import (
    BlockedVersion,
    Deployment,
    Effect,
    Lease,
    Message,
    MessageState,
    RunRow,
)

if TYPE_CHECKING:
    from midas_devops.ports.deployer import Running

Json = dict[str, Any]


class Reader(Protocol):
    """The part of the ledger that reading needs."""

    def run(self, run_id: str) -> RunRow | None: ...
    def runs(self, *, environment: str = "", limit: int = 50) -> list[RunRow]: ...
    def effects(self, run_id: str) -> list[Effect]: ...
    def lease(self, resource: str) -> Lease | None: ...
    def deployments(self, environment: str = "", limit: int = 50) -> list[Deployment]: ...
    def last_verified(self, environment: str, *, other_than: str = "") -> Deployment | None: ...
    def blocked_versions(self, environment: str) -> list[BlockedVersion]: ...
    def messages(self, state: MessageState = "waiting", limit: int = 200) -> list[Message]: ...


def status_now(reader: Reader, row: RunRow) -> RunStatus:
    """The stored status; ``interrupted`` for a run whose holder is gone."""
    stored = RunStatus(row.status)
    if stored is RunStatus.RUNNING and reader.lease(f"run:{row.run_id}") is None:
        return RunStatus.INTERRUPTED
    return stored


def run_summary(reader: Reader, row: RunRow) -> Json:
    """One entry of ``runs list``."""
    return {
        "run_id": row.run_id,
        "operation": row.operation,
        "environment": row.environment,
        "status": str(status_now(reader, row)),
        "started_at": _time(row.started_at),
        "ended_at": _time(row.ended_at),
        "requested_by": row.requested_by,
        "request": row.record.get("request") or {},
    }


def run_json(reader: Reader, artifacts: Artifacts, row: RunRow) -> Json:
    """One run in full, in the shape that scripts rely on."""
    record = row.record
    planned = record.get("change_plan") or {}
    outcome = record.get("outcome") or {}
    summary = run_summary(reader, row)
    status = RunStatus(summary["status"])
    return {
        **summary,
        "exit_code": EXIT_CODES[status],
        "url": outcome.get("url", "") or (record.get("run_report") or {}).get("url", ""),
        "plan": _plan(artifacts, record, planned),
        "gates": (record.get("gates") or {}).get("gates", []),
        "pending": record.get("pending") or None,
        "approvals": record.get("answers", []),
        "outcome": outcome or None,
        "verification": record.get("verification") or None,
        "diagnosis": record.get("diagnosis") or None,
        "recovery": record.get("recovery") or None,
        "effects": _effects(reader, row, record, status),
        "reason": record.get("reason", ""),
        "report": record.get("run_report") or None,
        "tracking": tracking_json(reader, row.run_id),
        "artifacts": _artifacts(record, planned, outcome),
        "timeline": record.get("timeline", []),
    }


def tracking_json(reader: Reader, run_id: str = "") -> Json:
    """What the tracker has still to be told, of one run or of all: counts, why, and what is given up."""
    waiting, given_up = (
        [message for message in reader.messages(state, 1000) if run_id in ("", message.run_id)]
        for state in _NOT_TOLD
    )
    return {
        "waiting": len(waiting),
        "given_up": len(given_up),
        "why": next((message.last_error for message in [*waiting, *given_up] if message.last_error), ""),
        "next_try_at": min((_time(message.next_try_at) or "" for message in waiting), default=None),
    }


_NOT_TOLD: tuple[MessageState, MessageState] = ("waiting", "given_up")


def environments_json(
    reader: Reader, settings: Settings, services: Mapping[str, Running | None]
) -> list[Json]:
    """What runs where, since when, and whether it was verified.

    ``services`` holds what was looked at just now; an environment that is not in it is told from the ledger.
    """
    listed = []
    for name in sorted(settings.environments):
        environment = _environment(reader, settings, name)
        looked = name in services
        runs = services.get(name)
        if looked and (runs is None or runs.commit != environment["commit"]):
            environment |= {
                "version": runs.version if runs else "",
                "commit": runs.commit if runs else "",
                "since": runs.since if runs else None,
                "verified": None,
            }
        listed.append({**environment, "running": (runs is not None) if looked else None})
    return listed


def _environment(reader: Reader, settings: Settings, name: str) -> Json:
    environment = settings.environments[name]
    succeeded = [d for d in reader.deployments(name) if d.status == "succeeded"]
    newest = succeeded[0] if succeeded else None
    verified = reader.last_verified(name)
    lease = reader.lease(f"env:{name}")
    return {
        "name": name,
        "kind": environment.kind,
        "production": environment.is_production,
        "url": environment.url or (newest.url if newest else ""),
        "version": newest.version if newest else "",
        "commit": newest.commit if newest else "",
        "since": _time(newest.started_at) if newest else None,
        "verified": newest.verified if newest else None,
        "last_verified_version": verified.version if verified else "",
        "blocked_versions": [
            {"version": b.version, "commit": b.commit, "reason": b.reason, "run_id": b.run_id}
            for b in reader.blocked_versions(name)
        ],
        "leased_by": lease.run_id if lease else None,
        "deployer": environment.deploy.using if environment.deploy else None,
        "infrastructure": environment.infrastructure.config if environment.infrastructure else None,
    }


def _plan(artifacts: Artifacts, record: Json, planned: Json) -> Json | None:
    if not planned:
        return None
    counts = planned["counts"]
    return {
        "digest": record.get("digest", ""),
        **counts,
        "has_changes": planned["has_changes"],
        "summary": planned["summary"],
        "guard": planned["guard"],
        "protected": _protected(artifacts, planned),
        "findings": planned["findings"],
        "blast_radius": planned.get("blast_radius"),
        "requirements": planned.get("requirements"),
        "draft": _draft(artifacts, planned.get("draft")),
        "release": planned["release"],
        "revert_to": planned["revert_to"],
        "targets": planned.get("targets", []),
        "notes": planned["notes"],
    }


def _draft(artifacts: Artifacts, draft: Json | None) -> Json | None:
    """A drafted change with the text of its patch."""
    if not draft:
        return None
    return {**draft, "text": artifacts.get(ArtifactRef.model_validate(draft["patch"])).decode()}


def _protected(artifacts: Artifacts, planned: Json) -> list[str]:
    listed: list[str] = planned["protected"]
    if planned["protected_total"] > len(listed) and planned["details"]:
        details = json.loads(artifacts.get(ArtifactRef.model_validate(planned["details"])))
        listed = details["protected"]
    return listed


def _effects(reader: Reader, row: RunRow, record: Json, status: RunStatus) -> list[Json]:
    effects = [
        {
            "key": effect.key,
            "what": effect.what,
            "state": "not_begun" if "refused" in effect.receipt else effect.state,
            "begun_at": _time(effect.begun_at),
            "ended_at": _time(effect.ended_at),
            "receipt": {key: effect.receipt[key] for key in ("ok", "summary") if key in effect.receipt},
        }
        for effect in reader.effects(row.run_id)
        if effect.key.startswith(f"{row.run_id}/")  # a comment that was taken is an answer, no effect
    ]
    planned = record.get("change_plan") or {}
    intended = planned.get("has_changes") and (record.get("request") or {}).get("action") != "plan"
    if not effects and intended and not status.finished:
        key = f"{row.run_id}/{record.get('digest', '')[:16]}"
        effects.append({"key": key, "what": planned["summary"], "state": "not_begun"})
    return effects


def _artifacts(record: Json, planned: Json, outcome: Json) -> Json:
    named = {
        "saved_plan": planned.get("saved_plan"),
        "plan_json": planned.get("plan_json"),
        "plan_details": planned.get("details"),
        "draft": (planned.get("draft") or {}).get("patch"),
        "context": record.get("context"),
    }
    named.update({f"log_{n}": log for n, log in enumerate(outcome.get("logs", []), start=1)})
    for number, item in enumerate(record.get("evidence", []), start=1):
        named[f"evidence_{number}"] = item["full"]
        named[f"condensed_{number}"] = item["condensed"]
    return {name: f"artifact:{ref['sha256']}" for name, ref in named.items() if ref}


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
