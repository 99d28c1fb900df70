"""Which recorded approvals count (rule 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from midas_devops.adapters.sql.rows import Row, time_text
from midas_devops.errors import ApprovalRefusedError


def choose(
    found: Sequence[Row],
    *,
    run_id: str,
    digest: str,
    needed: int,
    now: datetime,
    shown: Callable[[str], str],
) -> list[Row]:
    """``needed`` of the approvals of one digest, by different people, the oldest first.

    ``shown`` gives a name as it is stored now, without secrets: names that look the same then are one person,
    also when one of them was stored before its secret was known.

    Raises ``ApprovalRefusedError`` with what is missing.
    """
    if any(row["consumed_at"] for row in found):
        raise _refused(run_id, digest, "it was used already")
    moment = time_text(now)
    current = [row for row in found if row["expires_at"] > moment]
    by_person: dict[str, Row] = {}
    for row in current:
        by_person.setdefault(shown(row["approved_by"]).strip().casefold(), row)
    if len(by_person) >= needed:
        return list(by_person.values())[:needed]
    if len(current) < len(found):
        raise _refused(
            run_id, digest, f"{len(found) - len(current)} expired, {len(by_person)} of {needed} hold"
        )
    raise _refused(run_id, digest, f"{len(by_person)} of {needed} people approved")


def _refused(run_id: str, digest: str, reason: str) -> ApprovalRefusedError:
    return ApprovalRefusedError(
        f"the approval of {digest[:12]}… does not hold: {reason}",
        hint=f"see what is waiting: midas-devops runs show {run_id}",
        location=run_id,
    )
