"""From the candidate to the port, and back when it fails there."""

from __future__ import annotations

from datetime import timedelta

import psutil
import pytest

from tests.adapters.local.place import Place, free_port, until


def _silent(_: str) -> None:
    return None


def test_a_candidate_that_dies_ends_the_check_at_once_and_says_why(place: Place) -> None:
    result = place.deploy(place.release("v1", "dies"), within=3600)
    assert result.failure.code == "start_failed"
    assert "status 3" in result.failure.message
    assert "cannot read the settings file" in result.failure.message
    assert result.serving is None
    assert place.living() == set()


def test_the_one_that_serves_is_not_touched_by_a_bad_candidate(place: Place) -> None:
    place.deploy(place.release("v1"))
    before = place.answer()
    result = place.deploy(place.release("v2", "unhealthy"), within=2)
    assert result.failure.code == "health_check_failed"
    assert "503 instead of 200: the database is unreachable" in result.failure.message
    assert place.answer() == before
    assert place.living() == {before[1]}


@pytest.mark.parametrize("mode", ["flaps", "hangs"])
def test_a_service_that_flaps_or_hangs_is_not_healthy(place: Place, mode: str) -> None:
    result = place.deploy(place.release("v1", mode), within=2)
    assert result.failure.code == "health_check_failed"
    assert ("flaps" if mode == "flaps" else "gives no answer") in result.failure.message
    assert place.living() == set()


def test_a_slow_start_is_waited_for(place: Place) -> None:
    assert place.deploy(place.release("v1", "slow")).failure is None
    assert place.answer()[0] == "v1"


def test_a_service_that_ignores_its_port_is_told_so(place: Place) -> None:
    result = place.deploy(place.release("v1", "elsewhere"), within=2)
    assert result.failure.code == "health_check_failed"
    assert "It listens on port" in result.failure.message
    assert "{port}" in result.failure.message


# the switch and the way back


@pytest.mark.parametrize(
    ("mode", "code"), [("unhealthy-in-public", "health_check_failed"), ("dies-in-public", "start_failed")]
)
def test_failing_on_the_real_port_brings_the_old_one_back(place: Place, mode: str, code: str) -> None:
    first = place.release("v1")
    place.deploy(first)
    result = place.deploy(place.release("v2", mode), within=3)
    assert result.failure.code == code
    assert "serves again" in result.failure.message
    assert result.serving.commit == first.commit
    version, pid = place.answer()
    assert version == "v1"
    assert place.living() == {pid}
    assert place.deployer().status() == result.serving


def test_an_old_one_that_does_not_start_again_is_said_and_nothing_serves(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    place.environ["APP_MODE"] = "dies-in-public"
    result = place.deploy(second)
    assert result.failure.code == "start_failed"
    assert "could not be started again, nothing serves now" in result.failure.message
    assert result.serving is None
    assert place.living() == set()
    assert place.deployer().status() is None


def test_an_old_one_that_comes_back_unhealthy_is_left_running_and_said(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    place.environ["APP_MODE"] = "unhealthy-in-public"
    result = place.deploy(second, within=3)
    assert "was started again, but is not healthy" in result.failure.message
    assert result.serving.commit == first.commit
    assert place.answer()[0] == "status 503"
    assert len(place.living()) == 1
    assert place.deployer().status() == result.serving


def test_failing_on_the_real_port_of_an_empty_environment_leaves_it_empty(place: Place) -> None:
    result = place.deploy(place.release("v1", "unhealthy-in-public"), within=3)
    assert result.failure.code == "health_check_failed"
    assert result.serving is None
    assert place.living() == set()
    assert place.deployer().status() is None


def test_the_old_one_comes_back_even_when_its_folder_is_gone(place: Place) -> None:
    first = place.release("v1")
    place.deploy(first)
    folder = place.home / "releases" / first.commit
    folder.rename(place.root / "moved-away")
    result = place.deploy(place.release("v2", "dies-in-public"))
    assert result.serving.commit == first.commit
    assert place.answer()[0] == "v1"


def test_a_sick_service_of_the_same_release_is_started_anew(place: Place) -> None:
    release = place.release("v1")
    place.deploy(release)
    pid = place.answer()[1]
    psutil.Process(pid).suspend()
    result = place.deploy(release, within=2, stop_within=timedelta(seconds=1))
    assert result.failure is None
    assert place.answer()[1] not in (0, pid)
    assert place.living() == {place.answer()[1]}


def test_a_service_that_crashed_is_not_reported_and_can_be_deployed_again(place: Place) -> None:
    release = place.release("v1")
    place.deploy(release)
    psutil.Process(place.answer()[1]).kill()
    until(lambda: place.deployer().status() is None)
    assert place.deploy(release).failure is None
    assert place.answer()[0] == "v1"


def test_a_changed_port_is_taken_over(place: Place) -> None:
    release = place.release("v1")
    place.deploy(release)
    other = free_port()
    result = place.deploy(release, port=other)
    assert result.failure is None
    assert place.answer() == ("", 0)
    assert place.answer(other)[0] == "v1"


def test_a_stubborn_service_and_its_children_are_all_stopped(place: Place) -> None:
    place.deploy(place.release("v1", "stubborn forks"), stop_within=timedelta(seconds=1))
    until(lambda: len(place.living()) == 3)
    result = place.deploy(place.release("v2"), stop_within=timedelta(seconds=1))
    assert result.failure is None
    assert place.living() == {place.answer()[1]}
