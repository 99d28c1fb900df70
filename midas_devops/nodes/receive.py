"""Where a request becomes a run."""

from __future__ import annotations

import secrets
from datetime import datetime

from midas_devops.domain.runs import RunStatus, parse_request
from midas_devops.nodes.step import Node
from midas_devops.ports.bundle import Ports
from midas_devops.ports.ledger import RunRow
from midas_devops.state import DevOpsState, Json


def new_run_id(now: datetime) -> str:
    """``run-20260131-142509-3f9a1c``: sorts by time, unique enough to be typed by its prefix."""
    return f"run-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def receive(ports: Ports) -> Node:
    """Open the run, and forget whatever an earlier request left in this thread's state."""

    def node(state: DevOpsState) -> Json:
        request = parse_request(state["request"])
        run_id = _free_run_id(ports, state.get("run_id", ""))
        data = ports.redactor.json(request.model_dump(mode="json"))
        ports.ledger.open_run(
            RunRow(
                run_id=run_id,
                operation=request.operation,
                environment=request.environment,
                status=RunStatus.RUNNING,
                started_at=ports.clock(),
                requested_by=request.requested_by,
                record={"request": data},
            )
        )
        ports.ledger.audit(run_id, request.requested_by, "requested", data=data)
        return {**_NOTHING_YET, "run_id": run_id, "request": data}

    return node


_NOTHING_YET: Json = {
    "status": "",
    "reason": "",
    "digest": "",
    "approvals_needed": 0,
    "deployment_id": 0,
    "answers": [],
    "retrieved": [],
    "evidence": [],
    "timeline": [],
    "run_report": {},
    "change_plan": {},
    "gates": {},
    "digest_parts": {},
    "pending": {},
    "review": {},
    "approved": {},
    "outcome": {},
    "verification": {},
    "context": {},
    "diagnosis": {},
    "recovery": {},
    "attempts": {},
}


def _free_run_id(ports: Ports, wanted: str) -> str:
    if not wanted:
        return new_run_id(ports.clock())
    earlier = ports.ledger.run(wanted)
    taken = earlier is not None and (earlier.ended_at or earlier.status != RunStatus.RUNNING)
    return new_run_id(ports.clock()) if taken else wanted
