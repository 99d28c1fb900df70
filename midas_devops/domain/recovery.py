"""What follows a failure. Pure: the same facts always lead to the same recovery (rule 11)."""

from __future__ import annotations

from midas_devops.domain.base import Value
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.outcome import Outcome, Recovery, RecoveryKind
from midas_devops.domain.runs import Operation

NOT_THE_VERSIONS_FAULT = frozenset(
    {
        "cancelled",
        "conflict",
        "disk_full",
        "port_in_use",
        "refused",
        "source_unavailable",
        "timed_out",
        "unschedulable",
    }
)
"""Deploy failures that say nothing about the version itself: it is not blocked for them."""


class Situation(Value):
    """The facts a recovery is decided on."""

    operation: Operation
    production: bool
    outcome: Outcome
    diagnosis: Diagnosis
    verification_failed: bool = False
    in_doubt: str = ""
    """Why nobody can say whether the release works, though it was carried out; empty when that is known."""
    retries_done: int = 0
    max_retries: int = 0
    rollbacks_done: int = 0
    rollback_on_failure: bool = True
    reverts_done: int = 0
    verified_commit: str = ""
    """Last verified release of the environment other than the failed one; empty when there is none."""
    verified_version: str = ""
    good_config_commit: str = ""
    """Commit of the last good configuration, when it is another than the failed one; else empty.

    An older good one is no way back: what the last one created would be destroyed.
    """


def decide_recovery(now: Situation) -> Recovery:
    """Retry, rollback, revert or a person, with the reason a report can print."""
    if now.operation is Operation.DEPLOY_RELEASE:
        return _after_release(now)
    if now.operation is Operation.MANAGE_INFRASTRUCTURE:
        return _after_infrastructure(now)
    return Recovery(kind=RecoveryKind.ESCALATE, reason="a failed pipeline change is left to a person")


def _after_release(now: Situation) -> Recovery:
    if now.in_doubt:
        way_back = "" if now.rollbacks_done else now.verified_commit
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason=f"Whether it works could not be told ({now.in_doubt}); a person decides",
            to_commit=way_back,
            to_version=now.verified_version if way_back else "",
            ask=True,
        )
    if now.rollbacks_done:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="the rollback itself did not end in a verified version; a person is needed now",
            to_commit=now.verified_commit,
            to_version=now.verified_version,
            ask=True,
        )
    if not now.verified_commit:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="nothing was ever verified on this environment: there is nothing to return to",
        )
    if not now.rollback_on_failure:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="rollback_on_failure is off for this environment; a person decides",
            to_commit=now.verified_commit,
            to_version=now.verified_version,
            ask=True,
        )
    return Recovery(
        kind=RecoveryKind.ROLLBACK,
        reason=f"{now.verified_version or now.verified_commit[:12]} is the last verified version",
        to_commit=now.verified_commit,
        to_version=now.verified_version,
    )


def _after_infrastructure(now: Situation) -> Recovery:
    if now.in_doubt:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason=f"what was applied could not be verified ({now.in_doubt}); a person decides",
            ask=True,
        )
    if now.outcome.orphans:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="the engine was cut off while it created something that no state knows;"
            " look for it, and import or remove it first",
            ask=True,
        )
    if now.outcome.code == "cancelled":
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="the run was cancelled; what it left is listed, and the same request continues it",
        )
    if now.diagnosis.retryable and now.retries_done < now.max_retries and not now.reverts_done:
        return Recovery(
            kind=RecoveryKind.RETRY,
            reason=f"the failure looks transient (attempt {now.retries_done + 2} of {now.max_retries + 1})",
        )
    if now.reverts_done:
        return Recovery(
            kind=RecoveryKind.ESCALATE, reason="the revert failed as well; a person is needed now", ask=True
        )
    if not now.outcome.changed_anything:
        return Recovery(kind=RecoveryKind.ESCALATE, reason="nothing was changed; the cause needs a fix")
    if now.good_config_commit:
        return Recovery(
            kind=RecoveryKind.REVERT,
            reason=f"the configuration of {now.good_config_commit[:12]} was the last that applied",
            to_commit=now.good_config_commit,
            ask=now.production,
        )
    if now.production:
        return Recovery(
            kind=RecoveryKind.ESCALATE,
            reason="production is half-way changed, and its last good configuration is not at another commit",
            ask=True,
        )
    return Recovery(
        kind=RecoveryKind.ESCALATE,
        reason="its last good configuration is not at another commit: there is nothing to return to",
    )
