"""A deployment that somebody else carried out, put on record and on its issue."""

from __future__ import annotations

import hashlib

from midas_devops.config import Settings
from midas_devops.errors import UsageError
from midas_devops.outbox import deliver, queue
from midas_devops.ports.bundle import Ports
from midas_devops.records import Json
from midas_devops.use_cases.history import REPORTED

LONGEST_STATUS = 64


def report_status(
    ports: Ports,
    policy: Settings,
    environment: str,
    status: str,
    details: str,
    *,
    by: str,
    issue_number: int | None = None,
) -> Json:
    """Record it first, then tell the issue; ``tracking`` is ``delivered``, ``waiting`` or ``none``.

    Raises ``UsageError`` for a status that is none. A tracker that is away fails nothing.
    """
    status = status.strip()
    if not status or len(status) > LONGEST_STATUS:
        raise UsageError(f"a status is one to {LONGEST_STATUS} characters, for example 'succeeded'")
    said: Json = ports.redactor.json({"environment": environment, "status": status, "details": details})
    at = ports.clock().isoformat()
    ports.ledger.audit("", by, REPORTED, data=said)
    url, tracking = "", "none"
    if ports.tracker is not None and issue_number is not None and "issues" in policy.tracker.tell:
        text = f"**{environment}**: **{said['status']}**\n\n{said['details']}\n\nReported by {by}"
        key = f"status/{environment}/{at}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        body = {"issue": issue_number, "text": text, "marker": f"status-{environment}"}
        queue(ports, key, "comment", f"issue {issue_number}", body)
        deliver(ports)
        told = ports.ledger.message(key)
        url = told.receipt if told else ""
        tracking = "delivered" if told and told.state == "delivered" else "waiting"
    return {**said, "reported_by": by, "at": at, "comment": url, "tracking": tracking}
