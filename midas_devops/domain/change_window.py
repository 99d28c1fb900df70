"""When changes are allowed: weekly windows in a time zone, and freezes (rule 5: in doubt they are not)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from midas_devops.domain.base import Value
from midas_devops.domain.gate_rules import CLOCK_SKEW
from midas_devops.domain.gates import GateResult, Verdict

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_DAYS_AHEAD = 8


class Freeze(Value):
    """A time without changes. A date is a whole day of the window's zone, the last one included."""

    start: date | datetime
    end: date | datetime
    reason: str


class ChangeWindow(Value):
    """``allow``: ``mon-thu 09:00-17:00``, ``fri 22:00-02:00``; empty: always, but for the freezes."""

    time_zone: str = "UTC"
    allow: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    override: bool = False
    """Whether a person may allow a change outside of it."""


def judge_window(
    name: str, window: ChangeWindow, commit: str, now: datetime, on_record: datetime | None
) -> GateResult:
    """Passed: ``now`` lies in a window and in no freeze.

    ``on_record`` is the latest moment that the ledger knows: a clock that was set back behind it tells no
    time. Where a change of the clocks makes an hour ambiguous or leaves it out, the window is the narrower
    and the freeze the wider one.
    """
    zone = _zone(window.time_zone)
    local = f"{now.astimezone(zone):%a %Y-%m-%d %H:%M} {window.time_zone}"
    frozen = next((each for each in window.freezes if _within(each, now, zone)), None)
    if on_record is not None and now < on_record - CLOCK_SKEW:
        verdict = Verdict.INCONCLUSIVE
        reason = f"this clock says {now:%Y-%m-%d %H:%M} UTC, the ledger knows {on_record:%Y-%m-%d %H:%M} UTC"
    elif frozen is not None:
        verdict, reason = Verdict.FAILED, f"frozen until {frozen.end}: {frozen.reason} (it is {local})"
    elif window.allow and not any(start <= now < end for start, end in _openings(window, now, zone)):
        opens = min((start for start, _ in _openings(window, now, zone) if start > now), default=None)
        soon = f"; it opens {opens.astimezone(zone):%a %Y-%m-%d %H:%M}" if opens else ""
        verdict, reason = Verdict.FAILED, f"closed: it is {local}, open {', '.join(window.allow)}{soon}"
    else:
        verdict, reason = Verdict.PASSED, f"open: it is {local}"
    return GateResult(
        name=name,
        verdict=verdict,
        reason=reason,
        commit=commit,
        evidence=(f"clock: {now:%Y-%m-%dT%H:%M:%SZ}",),
        measured_at=now,
        waivable=window.override and verdict is Verdict.FAILED,
    )


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    return UTC if name == "UTC" else ZoneInfo(name)


def _openings(window: ChangeWindow, now: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Every opening that touches the time from yesterday to a week ahead."""
    today = now.astimezone(zone).date()
    for text in window.allow:
        days, _, hours = text.partition(" ")
        begin, _, finish = hours.partition("-")
        for offset in range(-1, _DAYS_AHEAD):
            day = today + offset * _DAY
            if day.weekday() in _days(days):
                last = day + _DAY if finish <= begin or finish == "24:00" else day
                yield max(_readings(day, begin, zone)), min(_readings(last, finish, zone))


def _days(text: str) -> set[int]:
    first, _, last = text.partition("-")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return {(start + step) % 7 for step in range((end - start) % 7 + 1)}


def _readings(day: date, clock: str, zone: tzinfo) -> list[datetime]:
    """The moments that a local time may mean: two where the clocks are changed."""
    at = time() if clock == "24:00" else time.fromisoformat(clock)
    return _moments(datetime.combine(day, at), zone)


def _moments(local: datetime, zone: tzinfo) -> list[datetime]:
    if local.tzinfo is not None:
        return [local.astimezone(UTC)]
    return [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


def _within(freeze: Freeze, now: datetime, zone: tzinfo) -> bool:
    start = freeze.start if isinstance(freeze.start, datetime) else datetime.combine(freeze.start, time())
    end = freeze.end if isinstance(freeze.end, datetime) else datetime.combine(freeze.end + _DAY, time())
    return min(_moments(start, zone)) <= now < max(_moments(end, zone))
