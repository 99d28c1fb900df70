"""Whose port it is, what is on record, and what may be read of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from midas_devops.adapters.git import GitSource
from midas_devops.adapters.local.deployer import LocalDeployer
from midas_devops.config import Health
from midas_devops.errors import StorageError, ToolError
from tests.adapters.local.place import Place, free_port, until


def _silent(_: str) -> None:
    return None


# the port


def test_a_port_in_use_is_named_before_anything_is_touched(place: Place) -> None:
    release = place.release("v1")
    with socket.create_server(("127.0.0.1", place.port)):
        result = place.deploy(release)
        assert result.failure.code == "port_in_use"
        assert str(place.port) in result.failure.message
        assert f"process {os.getpid()}" in result.failure.message
    assert place.living() == set()
    assert not (place.home / "releases").exists()


def test_a_stranger_on_the_port_is_not_taken_for_ours(place: Place) -> None:
    place.deploy(place.release("v1"))
    psutil.Process(place.answer()[1]).kill()
    until(lambda: place.deployer().status() is None)
    with socket.create_server(("127.0.0.1", place.port)):
        assert place.deployer().status() is None
        assert place.deploy(place.release("v2")).failure.code == "port_in_use"


def test_a_spare_port_that_somebody_takes_meanwhile_is_changed_for_another(place: Place) -> None:
    release = place.release("v1")
    taken: list[socket.socket] = []

    def take(line: str) -> None:
        if "as a candidate on port" in line and not taken:
            taken.append(socket.create_server(("127.0.0.1", int(line.rsplit(" ", 1)[1]))))

    with contextlib.ExitStack() as stack:
        result = place.deployer().deploy(release, take)
        stack.enter_context(taken[0])
    assert result.failure is None
    assert place.answer()[0] == "v1"


@pytest.mark.parametrize("given_back", [True, False])
def test_a_port_that_somebody_takes_in_the_gap_is_named(place: Place, given_back: bool) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    taken: list[socket.socket] = []

    def take(line: str) -> None:
        if line == f"start v2 on port {place.port}":
            taken.append(socket.create_server(("127.0.0.1", place.port)))
        if given_back and line.startswith("put v1"):
            taken[0].close()

    result = place.deployer().deploy(second, take)
    taken[0].close()
    assert result.failure is not None
    assert result.failure.code == "port_in_use"
    assert f"process {os.getpid()}" in result.failure.message
    assert (result.serving is not None) == given_back
    assert place.answer()[0] == ("v1" if given_back else "")


def test_a_folder_that_cannot_be_made_is_an_error_and_stops_nothing(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    before = place.answer()
    releases = place.home / "releases"
    releases.rename(place.home / "aside")
    releases.write_text("a file")
    with pytest.raises(StorageError):
        place.deploy(second)
    assert place.answer() == before
    releases.unlink()
    (place.home / "aside").rename(releases)


def test_a_service_that_lives_without_its_port_is_not_said_to_run(place: Place) -> None:
    release = place.release("v1")
    place.deploy(release)
    pid = place.answer(path="/close")[1]
    until(lambda: place.answer() == ("", 0))
    assert place.living() == {pid}
    assert place.deployer().status() is None
    with socket.create_server(("127.0.0.1", place.port)):
        assert place.deployer().status() is None
    assert place.deploy(release, within=3).failure is None
    assert place.answer()[1] not in (0, pid)


# what is on record


@pytest.mark.parametrize("lie", ["born", "boot_id", "pid"])
def test_a_reused_process_id_does_not_pass_for_the_service(place: Place, lie: str) -> None:
    place.deploy(place.release("v1"))
    record = place.home / "current.json"
    state = json.loads(record.read_text())
    honest = record.read_text()
    # The mark would find the true process in spite of a wrong number: a stranger has no mark of ours.
    state["serving"]["mark"] = "staging:somebody-else"
    state["serving"][lie] = os.getpid() if lie == "pid" else "7"
    record.write_text(json.dumps(state))
    assert place.deployer().status() is None
    record.write_text(honest)


def test_a_service_whose_note_is_lost_is_adopted(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deployer().deploy(first, _silent)
    _, pid = place.answer()
    (place.home / "current.json").unlink()
    running = place.deployer().status()
    assert running is not None
    assert (running.commit, running.version) == (first.commit, "v1")
    assert place.deployer().deploy(first, _silent).failure is None
    assert place.answer() == ("v1", pid)
    (place.home / "current.json").unlink()
    assert place.deployer().deploy(second, _silent).failure is None
    assert place.answer()[0] == "v2"
    assert place.living() == {place.answer()[1]}


def test_a_clock_that_went_back_costs_no_release_that_is_needed(place: Place) -> None:
    first, second, third = place.release("v1"), place.release("v2"), place.release("v3")
    place.deployer(keep_releases=1).deploy(first, _silent)
    for marker in (place.home / "releases").glob("*.done"):
        os.utime(marker, (4_000_000_000, 4_000_000_000))
    for release in (second, third):
        assert place.deployer(keep_releases=1).deploy(release, _silent).failure is None
    assert place.answer()[0] == "v3"
    assert place.deployer(keep_releases=1).rollback(second, _silent).failure is None
    assert place.answer()[0] == "v2"


def test_a_damaged_record_is_an_error_and_stops_nothing(place: Place) -> None:
    release = place.release("v1")
    place.deploy(release)
    record = place.home / "current.json"
    honest = record.read_text()
    record.write_text(honest[: len(honest) // 2])
    with pytest.raises(ToolError):
        place.deployer().status()
    with pytest.raises(StorageError) as refused:
        place.deploy(release)
    assert str(record) in refused.value.location
    assert place.answer()[0] == "v1"
    record.write_text(honest)


def test_a_copied_project_does_not_claim_the_services_of_its_original(place: Place, tmp_path: Path) -> None:
    release = place.release("v1")
    place.deploy(release)
    before = place.answer()
    copied = tmp_path / "copy"
    copied.mkdir()
    (copied / "current.json").write_text((place.home / "current.json").read_text())
    copy = place.deployer(home=copied)
    assert copy.status() is None
    assert copy.deploy(release, _silent).failure.code == "port_in_use"
    copy.stop(_silent)
    assert place.answer() == before


def test_what_we_write_is_for_the_owner_alone_and_output_is_private(place: Place) -> None:
    place.environ["ORDERS_TOKEN"] = "tok-4711-secret"
    script = "import os; print(os.environ['ORDERS_TOKEN']); import runpy; runpy.run_path('app.py')"
    place.deploy(place.release("v1"), start=(sys.executable, "-c", script))
    place.deploy(place.release("v2"), start=(sys.executable, "-c", script))
    midas = place.root / ".midas"
    assert stat.S_IMODE((place.home / "current.json").stat().st_mode) == 0o600
    holding = {path for path in midas.rglob("*") if path.is_file() and b"tok-4711" in path.read_bytes()}
    assert holding
    private = midas / "artifacts" / "private"
    assert all(path.is_relative_to(private) for path in holding)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in holding)


def test_messages_go_through_the_redactor(place: Place) -> None:
    lines: list[str] = []
    deployer = LocalDeployer(
        "staging",
        place.settings(start=(sys.executable, "-c", "print('tok-4711'); raise SystemExit(1)")),
        home=place.home,
        source=GitSource(place.root),
        artifacts=place.artifacts(),
        environ=place.environ,
        redact=lambda text: text.replace("tok-4711", "[redacted]"),
    )
    result = deployer.deploy(place.release("v1"), lines.append)
    assert result.failure is not None
    assert "[redacted]" in result.failure.message
    assert "tok-4711" not in result.model_dump_json() + "".join(lines)


def test_a_huge_log_is_kept_bounded_and_says_what_was_cut(place: Place) -> None:
    place.deploy(place.release("v1", "loud"))
    (ref,) = place.deployer().logs()
    assert ref.size < 6 * 2**20
    text = place.artifacts().get(ref).decode()
    assert text.startswith("starting v1")
    assert text.rstrip().splitlines()[-1].startswith("line 119999 ")
    assert text.count("are cut here") == 1


def test_health_is_measured_at_the_environments_own_address(place: Place) -> None:
    place.deploy(place.release("v1"))
    lines: list[str] = []
    assert place.deployer().health(lines.append).healthy is True
    assert f"127.0.0.1:{place.port}/health" in lines[0]
    elsewhere = Health(url=f"http://127.0.0.1:{free_port()}/", within=timedelta(milliseconds=300))
    reading = place.deployer(health=elsewhere).health(_silent)
    assert reading.healthy is False
    assert "refuses" in reading.detail


def test_an_error_of_the_receiver_of_progress_comes_after_the_change_is_whole(place: Place) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError, match="terminal"):
        place.deployer().deploy(place.release("v1"), broken)
    assert place.answer()[0] == "v1"
    assert place.deployer().status() is not None
