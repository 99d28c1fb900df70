"""DORA's four figures of software delivery, from deployments on record. Pure.

The definitions in quotation marks are those of https://dora.dev/guides/dora-metrics/. What a ledger knows of
them, and how it is read here:

* **deployment frequency**, "the number of deployments over a given period": verified deployments per day of
  the window. A rollback brings no change and is not counted.
* **change lead time**, "the amount of time it takes for a change to go from committed to version control to
  deployed in production": from the time of the deployed commit, by its committer's clock, until the
  deployment was verified; the median. Only the deployed commit is timed, not each one that came with it.
* **change fail rate**, "the ratio of deployments that require immediate intervention following a deployment":
  failed deployments among those that were found good or failed; one that a person rolled back from later has
  failed, however it was verified before. One that nobody measured counts as neither.
* **failed deployment recovery time**, "the time it takes to recover from a deployment that fails and requires
  immediate intervention": from the begin of a failed deployment until the environment was in a verified state
  again; the median. Further failures before that belong to the same incident, and one that is not over has no
  time yet: it is counted in ``unrestored``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from midas_devops.domain.base import Value


class Deployed(Value):
    """One deployment of one environment, as far as the figures need it. Times have a time zone."""

    started_at: datetime
    settled_at: datetime | None = None
    """When it was verified, or known to have failed; None while neither is known."""
    good: bool | None
    """True: verified. False: failed, or revoked later. None: not known."""
    is_rollback: bool = False
    committed_at: datetime | None = None
    restored_at: datetime | None = None
    """When this failed deployment had itself put back what served before."""


class Figures(Value):
    """The four figures of one environment and one window. Times are seconds; None: nothing to measure."""

    since: datetime
    until: datetime
    deployments: int
    """Verified ones: what the frequency counts."""
    deployments_per_day: float
    lead_time_seconds: float | None
    change_failure_rate: float | None
    """0 to 1."""
    failures: int
    restore_time_seconds: float | None
    restored: int
    """Incidents that the restore time is the median of."""
    unrestored: int
    """1 while an incident is open."""


def four_figures(deployed: Iterable[Deployed], *, since: datetime, until: datetime) -> Figures:
    """The figures of what began within ``since`` ≤ begin < ``until``. Their order does not matter.

    Recovery looks at everything that is given: an incident of the window may end after it. Raises
    ``ValueError`` for an empty window.
    """
    days = (until - since) / timedelta(days=1)
    if days <= 0:
        raise ValueError("a window needs a length")
    everything = sorted(deployed, key=_order)
    changes = [one for one in everything if not one.is_rollback and since <= one.started_at < until]
    good = [one for one in changes if one.good is True]
    failed = [one for one in changes if one.good is False]
    incidents = [span for span in _incidents(everything) if since <= span[0] < until]
    times = [_seconds(begin, end) for begin, end in incidents if end is not None]
    lead = [_seconds(one.committed_at, one.settled_at) for one in good if one.committed_at and one.settled_at]
    judged = len(good) + len(failed)
    return Figures(
        since=since,
        until=until,
        deployments=len(good),
        deployments_per_day=len(good) / days,
        lead_time_seconds=_median(lead),
        change_failure_rate=len(failed) / judged if judged else None,
        failures=len(failed),
        restore_time_seconds=_median(times),
        restored=len(times),
        unrestored=len(incidents) - len(times),
    )


def _order(one: Deployed) -> tuple[datetime, int, bool, datetime, datetime]:
    """By begin; of those that begin together, failures come first, so that a good one ends their incident.

    Two with the same key are the same to :func:`_incidents`.
    """
    never = datetime.max.replace(tzinfo=UTC)
    rank = 0 if one.good is False else 1 if one.good is None else 2
    return one.started_at, rank, one.is_rollback, one.restored_at or never, one.settled_at or never


def _incidents(ordered: Sequence[Deployed]) -> list[tuple[datetime, datetime | None]]:
    """Spans from a failed deployment to the next verified state; None for the end of one that goes on."""
    spans: list[tuple[datetime, datetime | None]] = []
    begin: datetime | None = None
    for one in ordered:
        if one.good is False and not one.is_rollback and begin is None:
            begin = one.started_at
        over = one.restored_at if one.good is False else one.settled_at if one.good else None
        if begin is not None and over is not None:
            spans.append((begin, over))
            begin = None
    return spans if begin is None else [*spans, (begin, None)]


def _seconds(begin: datetime, end: datetime) -> float:
    """A clock that was set back makes no time negative."""
    return max(0.0, (end - begin).total_seconds())


def _median(values: Sequence[float]) -> float | None:
    return float(median(values)) if values else None
