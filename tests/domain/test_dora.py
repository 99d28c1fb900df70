"""DORA's four figures, as their definitions want them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.dora import Deployed, Figures, four_figures

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = {"since": START, "until": START + 10 * DAY}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def made(
    hours: float,
    good: bool | None = True,
    *,
    took: float = 0.5,
    committed: float | None = None,
    **more: object,
) -> Deployed:
    return Deployed.model_validate(
        {
            "started_at": at(hours),
            "settled_at": at(hours + took),
            "good": good,
            "committed_at": None if committed is None else at(committed),
            **more,
        }
    )


def test_without_deployments_there_is_nothing_to_measure() -> None:
    found = four_figures([], **WINDOW)
    assert (found.deployments, found.deployments_per_day, found.failures) == (0, 0, 0)
    assert (found.lead_time_seconds, found.change_failure_rate, found.restore_time_seconds) == (
        None,
        None,
        None,
    )


def test_the_frequency_counts_verified_changes_per_day() -> None:
    deployed = [made(1), made(2), made(3, False), made(4, None), made(5, is_rollback=True)]
    assert four_figures(deployed, **WINDOW).deployments_per_day == pytest.approx(0.2)


def test_the_lead_time_runs_from_commit_to_verified_and_is_the_median() -> None:
    deployed = [
        made(10, committed=9),
        made(20, committed=10),
        made(30, committed=-170),
        made(40, False, committed=0),
    ]
    assert four_figures(deployed, **WINDOW).lead_time_seconds == 10.5 * 3600


def test_the_fail_rate_leaves_out_what_nobody_measured() -> None:
    deployed = [made(1), made(2), made(3), made(4, False), made(5, None)]
    assert four_figures(deployed, **WINDOW).change_failure_rate == 0.25


def test_recovery_runs_from_the_failed_deployment_to_the_next_verified_state() -> None:
    deployed = [made(1), made(5, False), made(6, is_rollback=True, took=1)]
    found = four_figures(deployed, **WINDOW)
    assert (found.restore_time_seconds, found.restored, found.unrestored) == (2 * 3600, 1, 0)


def test_failures_in_a_row_are_one_incident() -> None:
    found = four_figures([made(1, False), made(2, False), made(3, took=1)], **WINDOW)
    assert (found.restore_time_seconds, found.restored, found.failures) == (3 * 3600, 1, 2)


def test_of_deployments_that_begin_together_a_good_one_ends_the_incident_in_any_order() -> None:
    together = [made(1, False), made(1, took=2), made(1, False, restored_at=at(2))]
    for deployed in permutations(together):
        found = four_figures(deployed, **WINDOW)
        assert (found.restore_time_seconds, found.restored, found.unrestored) == (1.5 * 3600, 2, 0)


def test_a_failed_rollback_does_not_end_an_incident() -> None:
    found = four_figures([made(1, False), made(2, False, is_rollback=True)], **WINDOW)
    assert (found.restored, found.unrestored) == (0, 1)


def test_a_deployment_that_put_back_what_served_has_recovered_by_itself() -> None:
    found = four_figures([made(1, False, restored_at=at(1.25))], **WINDOW)
    assert (found.restore_time_seconds, found.unrestored) == (900, 0)


def test_an_incident_of_the_window_may_end_after_it() -> None:
    found = four_figures([made(239, False), made(250)], **WINDOW)
    assert found.restore_time_seconds == 11.5 * 3600


def test_only_what_began_in_the_window_counts() -> None:
    found = four_figures([made(-1), made(0), made(239.9), made(240)], **WINDOW)
    assert found.deployments == 2


def test_a_clock_that_was_set_back_makes_no_time_negative() -> None:
    found = four_figures([made(5, committed=50), made(6, False), made(7, took=-3)], **WINDOW)
    assert found.lead_time_seconds == 0
    assert found.restore_time_seconds == 0


def test_a_window_needs_a_length() -> None:
    with pytest.raises(ValueError, match="length"):
        four_figures([], since=START, until=START)


@st.composite
def deployments(draw: st.DrawFn) -> list[Deployed]:
    # The few whole hours make deployments that begin together likely.
    hours = draw(st.lists(st.floats(-50, 290) | st.integers(0, 3), max_size=12))
    return [
        made(
            hour,
            draw(st.sampled_from([True, False, None])),
            took=draw(st.floats(0, 30)),
            committed=draw(st.none() | st.floats(-500, 300)),
            is_rollback=draw(st.booleans()),
            restored_at=draw(st.none() | st.just(at(hour + 1))),
        )
        for hour in hours
    ]


def figures(deployed: list[Deployed], shift: timedelta = timedelta(0)) -> Figures:
    return four_figures(deployed, since=START + shift, until=START + 10 * DAY + shift)


@given(deployments())
def test_every_figure_is_within_its_bounds(deployed: list[Deployed]) -> None:
    found = figures(deployed)
    assert found.change_failure_rate is None or 0 <= found.change_failure_rate <= 1
    for seconds in (found.lead_time_seconds, found.restore_time_seconds):
        assert seconds is None or seconds >= 0
    assert found.deployments + found.failures <= len(deployed)
    assert found.restored + found.unrestored <= len([one for one in deployed if one.good is False])
    assert found.unrestored in (0, 1)
    assert (found.change_failure_rate is None) == (found.deployments + found.failures == 0)


@given(deployments(), st.randoms())
def test_the_order_of_the_record_does_not_matter(deployed: list[Deployed], by: random.Random) -> None:
    mixed = list(deployed)
    by.shuffle(mixed)
    assert figures(mixed) == figures(deployed)


@given(deployments(), st.integers(-10_000, 10_000))
def test_only_distances_in_time_matter(deployed: list[Deployed], minutes: int) -> None:
    shift = timedelta(minutes=minutes)
    times = ("started_at", "settled_at", "committed_at", "restored_at")
    moved = [
        one.model_copy(update={name: getattr(one, name) + shift for name in times if getattr(one, name)})
        for one in deployed
    ]
    before, after = figures(deployed), figures(moved, shift)
    told = ("deployments", "failures", "lead_time_seconds", "restore_time_seconds", "unrestored")
    assert [getattr(after, name) for name in told] == [getattr(before, name) for name in told]


@given(deployments())
def test_one_more_good_deployment_raises_the_frequency_and_never_the_fail_rate(
    deployed: list[Deployed],
) -> None:
    before, after = figures(deployed), figures([*deployed, made(239.99)])
    assert after.deployments_per_day > before.deployments_per_day
    if before.change_failure_rate is not None:
        assert after.change_failure_rate is not None
        assert after.change_failure_rate <= before.change_failure_rate


@given(deployments())
def test_a_rollback_changes_neither_frequency_nor_fail_rate(deployed: list[Deployed]) -> None:
    before, after = figures(deployed), figures([*deployed, made(100, is_rollback=True)])
    assert (after.deployments, after.change_failure_rate) == (before.deployments, before.change_failure_rate)
