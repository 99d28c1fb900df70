"""The local deployer when its own process is killed, interrupted, doubled, or out of disk."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from midas_devops.adapters.local.interrupts import interrupt_rollouts
from midas_devops.ports.deployer import DeployResult
from tests.adapters.local.place import Place, until

DURABLE_STEPS = 29
"""Moments at which driver.py can kill itself in one deploy; the last test holds that there are no more."""


def ended(driver: subprocess.Popen[str]) -> tuple[list[str], str]:
    out, error = driver.communicate(timeout=120)
    return out.splitlines(), error


def result_of(driver: subprocess.Popen[str]) -> DeployResult:
    lines, error = ended(driver)
    assert driver.returncode == 0, error
    assert error == ""
    return DeployResult.model_validate_json(lines[-1])


def assert_serves_alone(place: Place, version: str) -> None:
    """Exactly one service lives; it is the one that answers, and the one on record."""
    answered, pid = place.answer()
    assert answered == version
    assert place.living() == {pid}
    running = place.deployer().status()
    assert running is not None
    assert running.version == version
    assert str(pid) in running.detail


def test_a_service_outlives_the_process_that_deployed_it(place: Place) -> None:
    release = place.release("v1")
    result = result_of(place.driver(release))
    assert result.failure is None
    assert_serves_alone(place, "v1")
    pid = place.answer()[1]
    assert result_of(place.driver(release)).failure is None
    assert place.answer()[1] == pid


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, marks=[] if moment % 4 == 0 else [pytest.mark.slow])
        for moment in range(DURABLE_STEPS)
    ],
)
def test_killed_at_any_step_the_next_call_ends_with_one_service(place: Place, moment: int) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    driver = place.driver(second, "--die-at", str(moment))
    ended(driver)
    assert driver.returncode == -signal.SIGKILL
    running = place.deployer().status()
    assert running is None or running.version == place.answer()[0]
    assert result_of(place.driver(second)).failure is None
    assert_serves_alone(place, "v2")


def test_no_step_is_left_out_of_the_test_above(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    driver = place.driver(second, "--die-at", str(DURABLE_STEPS))
    assert result_of(driver).failure is None


@pytest.mark.parametrize("line", ["stop v1", "start v2 on port"])
def test_killed_in_the_switch_a_bad_next_release_brings_the_former_back(place: Place, line: str) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    driver = place.driver(second, "--pause-at", line)
    kill_at(driver, line)
    result = place.deploy(place.release("v3", "dies"))
    assert result.failure.code == "start_failed"
    assert result.serving.version == "v1"
    assert_serves_alone(place, "v1")


def test_killed_in_the_switch_a_rollback_brings_the_former_back(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    kill_at(place.driver(second, "--pause-at", "start v2 on port"), "start v2 on port")
    assert place.deployer().status() is None
    result = place.deployer().rollback(first, lambda _: None)
    assert result.failure is None
    assert_serves_alone(place, "v1")


def test_a_build_that_outlives_its_killed_driver_is_stopped(place: Place) -> None:
    release = place.release("v1")
    nap = "import time; open('begun', 'w').close(); time.sleep(600)"
    driver = place.driver(release, "--build", nap)
    until((place.home / "releases" / release.commit / "begun").exists)
    driver.kill()
    ended(driver)
    assert len(place.living()) == 1
    assert place.deploy(release).failure is None
    assert_serves_alone(place, "v1")


def kill_at(driver: subprocess.Popen[str], text: str) -> None:
    read_to(driver, text)
    driver.kill()
    ended(driver)


def read_to(driver: subprocess.Popen[str], text: str) -> None:
    assert driver.stdout is not None
    for line in driver.stdout:
        if text in line:
            return
    raise AssertionError(f"the driver never said '{text}'")


# Ctrl-C


@pytest.mark.parametrize("line", ["export", "build", "as a candidate on port", "is healthy as", "stop v1"])
def test_ctrl_c_at_any_line_leaves_the_old_one_serving(place: Place, line: str) -> None:
    place.deploy(place.release("v1"))
    driver = place.driver(place.release("v2"), "--pause-at", line)
    read_to(driver, line)
    driver.send_signal(signal.SIGINT)
    (place.root / "go").touch()
    result = result_of(driver)
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert result.serving is not None
    assert result.serving.version == "v1"
    assert_serves_alone(place, "v1")


def test_ctrl_c_while_the_new_one_is_checked_on_the_real_port_brings_the_old_one_back(place: Place) -> None:
    place.deploy(place.release("v1"))
    driver = place.driver(place.release("v2", "unhealthy-in-public"))
    read_to(driver, "start v2 on port")
    until(lambda: place.answer()[0] == "status 503")
    driver.send_signal(signal.SIGINT)
    result = result_of(driver)
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert "v1" in result.failure.message
    assert_serves_alone(place, "v1")


def test_ctrl_c_once_the_new_one_serves_comes_too_late(place: Place) -> None:
    place.deploy(place.release("v1"))
    driver = place.driver(place.release("v2"), "--pause-at", "serves on port")
    read_to(driver, "serves on port")
    driver.send_signal(signal.SIGINT)
    (place.root / "go").touch()
    assert result_of(driver).failure is None
    assert_serves_alone(place, "v2")


def test_a_second_ctrl_c_does_not_tear_the_way_back(place: Place) -> None:
    place.deploy(place.release("v1", "slow"))
    driver = place.driver(place.release("v2", "unhealthy-in-public"))
    read_to(driver, "start v2 on port")
    driver.send_signal(signal.SIGINT)
    read_to(driver, "put v1")
    for _ in range(3):
        driver.send_signal(signal.SIGINT)
    assert result_of(driver).failure is not None
    assert_serves_alone(place, "v1")


def test_an_interrupt_raised_by_progress_is_a_cancelled_deploy(place: Place) -> None:
    place.deploy(place.release("v1"))
    second = place.release("v2")

    def interrupted(line: str) -> None:
        if "is healthy as a candidate" in line:
            raise KeyboardInterrupt

    result = place.deployer().deploy(second, interrupted)
    # What was asked for between two steps holds at the next one that waits.
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert_serves_alone(place, "v1")


def test_a_rollout_in_another_thread_can_be_cancelled(place: Place) -> None:
    place.deploy(place.release("v1"))
    second = place.release("v2", "unhealthy")
    results: list[DeployResult] = []
    lines: list[str] = []
    deployer = place.deployer()
    work = threading.Thread(target=lambda: results.append(deployer.deploy(second, lines.append)))
    work.start()
    until(lambda: any("start v2 as a candidate" in line for line in lines))
    assert interrupt_rollouts() == 1
    work.join()
    assert results[0].failure is not None
    assert results[0].failure.code == "cancelled"
    assert_serves_alone(place, "v1")


def test_ctrl_c_while_waiting_for_another_change_is_said(place: Place) -> None:
    place.deploy(place.release("v1"))
    driver = place.driver(place.release("v2"), "--pause-at", "export")
    read_to(driver, "export")
    third = place.release("v3")

    def interrupted(line: str) -> None:
        if "waiting for another change" in line:
            raise KeyboardInterrupt

    result = place.deployer().deploy(third, interrupted)
    assert result.failure is not None
    assert (result.failure.code, result.serving and result.serving.version) == ("cancelled", "v1")
    (place.root / "go").touch()
    assert result_of(driver).failure is None
    assert_serves_alone(place, "v2")


def test_the_signal_handler_is_given_back(place: Place) -> None:
    before = signal.getsignal(signal.SIGINT)
    place.deploy(place.release("v1"))
    assert signal.getsignal(signal.SIGINT) is before


# two at once


def test_two_drivers_at_once_end_in_one_consistent_state(place: Place) -> None:
    place.deploy(place.release("v1"))
    drivers = [place.driver(place.release(version)) for version in ("v2", "v3")]
    results = [result_of(driver) for driver in drivers]
    assert [result.failure for result in results] == [None, None]
    running = place.deployer().status()
    assert running is not None
    assert running.version in ("v2", "v3")
    assert_serves_alone(place, running.version)


def test_two_drivers_of_one_release_start_it_once(place: Place) -> None:
    release = place.release("v1")
    drivers = [place.driver(release) for _ in range(2)]
    details = {result.serving.detail for result in map(result_of, drivers) if result.serving}
    assert len(details) == 1
    assert_serves_alone(place, "v1")


# the disk


def test_a_full_disk_during_export_is_said_and_leaves_nothing_half_written(
    place: Place, small_disk: Path
) -> None:
    home = small_disk / "staging"
    first = place.release("v1")
    assert result_of(place.driver(first, "--home", str(home))).failure is None
    before = place.answer()
    second = place.release("v2", big=os.urandom(3 * 2**20).hex())
    result = result_of(place.driver(second, "--home", str(home)))
    assert result.failure is not None
    assert result.failure.code == "disk_full"
    assert result.serving is not None
    assert result.serving.commit == first.commit
    assert place.answer() == before
    assert {path.name for path in (home / "releases").iterdir()} == {first.commit, f"{first.commit}.done"}
    place.deployer(home=home).stop(lambda _: None)


def test_a_disk_that_is_full_to_the_last_byte_stops_nothing(place: Place, small_disk: Path) -> None:
    home = small_disk / "staging"
    place.deployer(home=home).deploy(place.release("v1"), lambda _: None)
    before = place.answer()
    second = place.release("v2")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        fill(file)
    result = place.deployer(home=home).deploy(second, lambda _: None)
    assert result.failure is not None
    assert result.failure.code == "disk_full"
    assert place.answer() == before
    filler.unlink()
    assert place.deployer(home=home).deploy(second, lambda _: None).failure is None
    assert place.answer()[0] == "v2"
    place.deployer(home=home).stop(lambda _: None)


def test_a_file_size_limit_is_said_and_leaves_nothing_half_written(place: Place) -> None:
    release = place.release("v1", big="x" * 200_000)
    result = result_of(place.driver(release, "--limit", "100000"))
    assert result.failure is not None
    assert result.failure.code == "disk_full"
    assert result.serving is None
    assert place.folders() == set()


def fill(file: BinaryIO) -> None:
    while True:
        file.write(b"x" * 4096)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command: the file size limit covers the same path")
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
