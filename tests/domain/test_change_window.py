"""When changes are allowed: weekly windows, freezes, time zones, and clocks that jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.change_window import ChangeWindow, Freeze, judge_window
from midas_devops.domain.gates import GateResult, Verdict

COMMIT = "c" * 40
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ChangeWindow(time_zone="Europe/Berlin", allow=("mon-thu 09:00-17:00", "fri 09:00-12:00"))


def at(window: ChangeWindow, now: datetime, on_record: datetime | None = None) -> GateResult:
    return judge_window("hours", window, COMMIT, now, on_record)


def is_open(window: ChangeWindow, now: datetime) -> bool:
    return at(window, now).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("local", "opened"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T16:59:59", True),
        ("2026-11-23T17:00:00", False),
        ("2026-11-27T11:00:00", True),
        ("2026-11-27T12:00:00", False),
        ("2026-11-28T10:00:00", False),
    ],
)
def test_a_window_is_read_in_its_own_time_zone(local: str, opened: bool) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)
    assert is_open(OFFICE, now) is opened


def test_a_closed_window_says_when_it_opens_and_blocks() -> None:
    result = at(OFFICE, datetime(2026, 11, 28, 9, tzinfo=UTC))
    assert (result.verdict, result.waivable) == (Verdict.FAILED, False)
    assert "it opens Mon 2026-11-30 09:00" in result.reason


def test_only_a_window_that_says_so_can_be_overridden_by_a_person() -> None:
    lenient = OFFICE.model_copy(update={"override": True})
    assert at(lenient, datetime(2026, 11, 28, 9, tzinfo=UTC)).waivable
    assert not at(lenient, datetime(2026, 11, 23, 9, tzinfo=UTC)).waivable


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2026-11-27T21:59", False),
        ("2026-11-27T22:00", True),
        ("2026-11-28T01:59", True),
        ("2026-11-28T02:00", False),
        ("2026-11-28T22:30", False),
    ],
)
def test_a_window_may_go_over_midnight(moment: str, opened: bool) -> None:
    night = ChangeWindow(allow=("fri 22:00-02:00",))
    assert is_open(night, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is opened


def test_a_range_of_days_may_go_over_the_weekend_and_a_day_may_be_whole() -> None:
    weekend = ChangeWindow(allow=("sat-mon 00:00-24:00",))
    days = [date(2026, 11, 23) + timedelta(days=n) for n in range(7)]
    opened = [
        day.strftime("%a") for day in days if is_open(weekend, datetime(*day.timetuple()[:3], tzinfo=UTC))
    ]
    assert opened == ["Mon", "Sat", "Sun"]


# On 29 March 2026 Berlin goes from 02:00 to 03:00, on 25 October 2026 from 03:00 back to 02:00.


def test_an_hour_that_the_spring_leaves_out_opens_nothing() -> None:
    window = ChangeWindow(time_zone="Europe/Berlin", allow=("sun 02:15-02:45",))
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert not any(is_open(window, start + timedelta(minutes=n)) for n in range(240))


def test_an_hour_that_the_autumn_repeats_opens_a_window_once_at_most() -> None:
    until = ChangeWindow(time_zone="Europe/Berlin", allow=("sun 01:00-02:30",))
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    minutes = [n for n in range(300) if is_open(until, start + timedelta(minutes=n))]
    assert minutes == list(range(60, 150))
    since = ChangeWindow(time_zone="Europe/Berlin", allow=("sun 02:30-04:00",))
    minutes = [n for n in range(360) if is_open(since, start + timedelta(minutes=n))]
    assert minutes == list(range(210, 300))


def test_the_same_window_is_at_another_moment_in_summer() -> None:
    assert is_open(OFFICE, datetime(2026, 7, 6, 7, 30, tzinfo=UTC))
    assert not is_open(OFFICE, datetime(2026, 11, 23, 7, 30, tzinfo=UTC))


def test_a_freeze_of_days_holds_through_the_last_one_in_its_zone() -> None:
    frozen = ChangeWindow(
        time_zone="Europe/Berlin",
        freezes=(Freeze(start=date(2026, 12, 20), end=date(2027, 1, 2), reason="holidays"),),
    )
    assert is_open(frozen, datetime(2026, 12, 19, 22, 59, tzinfo=UTC))
    result = at(frozen, datetime(2026, 12, 19, 23, tzinfo=UTC))
    assert result.verdict is Verdict.FAILED
    assert "holidays" in result.reason
    assert not is_open(frozen, datetime(2027, 1, 2, 22, 59, tzinfo=UTC))
    assert is_open(frozen, datetime(2027, 1, 2, 23, tzinfo=UTC))


def test_a_freeze_wins_over_a_window_and_may_name_times() -> None:
    window = OFFICE.model_copy(
        update={
            "freezes": (
                Freeze(
                    start=datetime.fromisoformat("2026-11-23T10:00"),
                    end=datetime.fromisoformat("2026-11-23T11:00"),
                    reason="stocktaking",
                ),
            )
        }
    )
    moments = [datetime(2026, 11, 23, hour, 30, tzinfo=BERLIN) for hour in (9, 10, 11)]
    assert [is_open(window, moment) for moment in moments] == [True, False, True]


def test_a_clock_that_was_set_back_behind_the_record_opens_nothing() -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert at(OFFICE, now, now + timedelta(minutes=4)).verdict is Verdict.PASSED
    result = at(OFFICE.model_copy(update={"override": True}), now, now + timedelta(hours=9))
    assert (result.verdict, result.waivable) == (Verdict.INCONCLUSIVE, False)
    assert "the ledger knows" in result.reason


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
moments = st.datetimes(
    datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01"), timezones=st.just(UTC)
)
hours = st.integers(0, 23)


@given(zones, moments, hours, hours)
def test_whenever_a_window_is_open_the_wall_clock_there_stands_in_it(
    zone: str, now: datetime, first: int, last: int
) -> None:
    if first == last:
        return
    window = ChangeWindow(time_zone=zone, allow=(f"mon-sun {first:02}:00-{last:02}:00",))
    if is_open(window, now):
        local = now.astimezone(UTC if zone == "UTC" else ZoneInfo(zone)).hour
        assert first <= local < last if first < last else (local >= first or local < last)
