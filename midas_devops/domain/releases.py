"""What the record of an environment's deployments says: verified or not, since when, and what was before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.gates import GateResult, Verdict


class Deployed(Protocol):
    """One version on one environment, as the ledger has it."""

    @property
    def deployment_id(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def commit(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def verified(self) -> bool | None: ...
    @property
    def verified_at(self) -> datetime | None: ...


D = TypeVar("D", bound=Deployed)


def verified_there(deployments: Sequence[D], commit: str, *, newest_only: bool = True) -> D | None:
    """The verified deployment of a commit. ``deployments`` are newest first.

    ``newest_only``: only the newest one of it counts. Otherwise an earlier one does too, unless the commit
    failed a verification later (rule 11).
    """
    of_it = [each for each in deployments if each.commit == commit]
    candidates = of_it[:1] if newest_only else of_it
    return next((each for each in candidates if each.verified and not _revoked(each, of_it)), None)


def soaked(deployments: Sequence[D], verified: D, now: datetime) -> timedelta | None:
    """How long a verified deployment ran since its verification; what replaced it ended that.

    A verification cannot be older than its deployment: where a clock was set back, the later time counts.
    Unless that one is still to come: then the clock was ahead when it deployed, and the verification counts.
    """
    if verified.verified_at is None:
        return None
    deployed = verified.ended_at or verified.started_at
    since = verified.verified_at if deployed > now else max(verified.verified_at, deployed)
    replaced = [
        each.started_at
        for each in deployments
        if each.deployment_id > verified.deployment_id
        and each.commit != verified.commit
        and each.status == "succeeded"
    ]
    return max(timedelta(0), min(replaced) - since) if replaced else now - since


def verified_before(deployments: Sequence[D], blocked: Collection[str], current: str) -> D | None:
    """The newest verified version that was deployed before ``current`` was, and is not blocked.

    Deployments are newest first. Rollbacks are no step forward: after one, the next goes further back. An
    unknown ``current`` has everything before it.
    """
    own = [each.deployment_id for each in deployments if each.commit == current and each.kind == "deploy"]
    before = max(own, default=None)
    return next(
        (
            each
            for each in deployments
            if each.kind == "deploy"
            and each.commit != current
            and each.commit not in blocked
            and (before is None or each.deployment_id < before)
            and verified_there(deployments, each.commit, newest_only=False)
        ),
        None,
    )


def judge_return(environment: str, verified: Deployed | None, commit: str) -> GateResult:
    """Passed: this commit was verified on the environment it returns to, and never failed there since."""
    proof = {"deployment": verified.deployment_id if verified else 0, "verified": verified is not None}
    if verified is None:
        verdict, reason = Verdict.FAILED, f"{commit[:12]} is not verified on {environment}"
    else:
        verdict, reason = Verdict.PASSED, f"{verified.version} is verified on {environment}"
    return GateResult(
        name="verified",
        verdict=verdict,
        reason=reason,
        commit=commit,
        evidence=(f"ledger: deployment {verified.deployment_id} on {environment}",) if verified else (),
        evidence_sha256=sha256_hex(canonical_json(proof)),
        measured_at=verified.verified_at if verified else None,
    )


def _revoked(good: Deployed, of_it: Sequence[Deployed]) -> bool:
    return any(
        bad.verified is False
        and (
            bad.deployment_id > good.deployment_id
            or (
                bad.verified_at is not None
                and good.verified_at is not None
                and bad.verified_at > good.verified_at
            )
        )
        for bad in of_it
    )
