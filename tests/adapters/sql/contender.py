"""One of several processes that want the same thing at the same time. Run by test_races.py.

Reads orders (JSON, one a line): opens the ledger, says ``ready``, and acts when the next line comes.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.domain.approval import Approval
from midas_devops.errors import MidasError
from midas_devops.ports.ledger import RunRow
from midas_devops.safety.lease import LeaseKeeper
from midas_devops.safety.processes import this_process

LAPSE = timedelta(seconds=30)


def act(ledger: SqlLedger, action: str, number: int) -> Any:
    now = datetime.now(UTC)
    if action == "lease":
        return ledger.acquire("env:staging", f"run-{number}", this_process(), now, LAPSE).token
    if action == "approval":
        return len(ledger.consume_approvals("run-1", "d" * 64, 1, now))
    if action == "approve":
        ledger.record_approval(
            Approval(
                run_id="run-1",
                digest="d" * 64,
                by=f"person-{number}",
                reason="read it",
                given_at=now,
                expires_at=now + timedelta(hours=1),
            )
        )
        return len(ledger.consume_approvals("run-1", "d" * 64, 8, now))
    if action == "effect":
        return ledger.begin("run-1", "run-1/digest/apply", "apply").state
    if action == "open":
        row = RunRow(
            run_id="run-same-id",
            operation="deploy_release",
            environment="staging",
            status="running",
            started_at=now,
            requested_by=f"person-{number}",
        )
        ledger.open_run(row)
        return (ledger.run("run-same-id") or row).requested_by
    if action == "audit":
        for count in range(20):
            ledger.audit(f"run-{number}", f"process-{number}", "counted", data={"count": count})
        return 20
    if action == "hold":
        return LeaseKeeper(ledger).hold("env:staging", "run-held", "deploy v1 by ana").token
    raise AssertionError(action)


def answer(ledger: SqlLedger | None, order: dict[str, Any]) -> dict[str, Any]:
    try:
        if order["action"] == "create":
            with closing(open_ledger(order["url"], Path(order["root"]))) as created:
                created.audit("", "somebody", "created")
            return {"won": order["number"]}
        assert ledger is not None
        return {"won": act(ledger, order["action"], order["number"])}
    except MidasError as error:
        return {"lost": error.code, "message": error.message}


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        opened = None if order["action"] == "create" else open_ledger(order["url"], Path(order["root"]))
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(answer(opened, order)), flush=True)
        # Every racer has to have its answer before one of them may let go.
        sys.stdin.readline()
        if opened is not None:
            opened.close()


if __name__ == "__main__":
    main()
