"""The local deployer as every deployer, and what is its own: candidate, switch, way back."""

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
from midas_devops.errors import ConfigError, StorageError, ToolError
from midas_devops.testing.deployer import DeployerConformance
from tests.adapters.local.place import Place, free_port, until


def _silent(_: str) -> None:
    return None


class LocalWorld:
    def __init__(self, place: Place) -> None:
        self._place = place
        self.first = place.release("v1.0.0")
        self.second = place.release("v1.1.0")
        self.unhealthy = place.release("v1.2.0", "unhealthy")
        self.artifacts = place.artifacts()

    def deployer(self) -> LocalDeployer:
        return self._place.deployer(within=5)

    def answer(self) -> str:
        version = self._place.answer()[0]
        return self._place.git("rev-parse", f"{version}^{{commit}}") if version else ""

    def instance(self) -> str:
        return str(self._place.answer()[1])


class TestLocalDeployer(DeployerConformance):
    @pytest.fixture
    def world(self, place: Place) -> LocalWorld:
        return LocalWorld(place)


# what a release is given


def test_the_release_is_the_exact_commit_whatever_the_working_tree_holds(place: Place) -> None:
    release = place.release("v1")
    (place.root / "VERSION").write_text("edited")
    assert place.deploy(release).failure is None
    assert place.answer()[0] == "v1"


def test_placeholders_and_port_reach_the_service_and_other_braces_stay(place: Place) -> None:
    release = place.release("v1")
    script = "import json, os, sys; open('seen', 'w').write(json.dumps([sys.argv[1:], os.environ['PORT']]));"
    script += " import runpy; runpy.run_path('app.py')"
    words = ("{port}-{version}", "{commit}", "{environment}", '{"a": 1}', "{{port}}", "${port}", "{}")
    result = place.deploy(release, start=(sys.executable, "-c", script, *words))
    assert result.failure is None
    seen, port = json.loads((place.home / "releases" / release.commit / "seen").read_text())
    assert port == str(place.port)
    assert seen == [
        f"{place.port}-v1", release.commit, "staging", '{"a": 1}', "{{port}}", "${port}", "{}"
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["start", "build"])
def test_an_unknown_placeholder_is_a_configuration_error_that_names_the_key(place: Place, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        place.deployer(**{key: ("run", "{ports}")})
    assert "{ports}" in refused.value.message
    assert "{port}" in refused.value.hint
    assert refused.value.location == f"midas.toml: environments.staging.deploy.{key}"


def test_the_build_runs_in_the_release_before_it_starts(place: Place) -> None:
    release = place.release("v1")
    script = "import pathlib; pathlib.Path('VERSION').write_text('{version}-built')"
    result = place.deploy(release, build=(sys.executable, "-c", script))
    assert result.failure is None
    assert place.answer()[0] == "v1-built"


def test_the_build_is_not_repeated_for_an_intact_release_and_is_for_another_build(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    build = (sys.executable, "-c", "open('built', 'a').write('x')")
    for release in (first, second, first):
        assert place.deploy(release, build=build).failure is None
    built = place.home / "releases" / first.commit / "built"
    assert built.read_text() == "x"
    place.deploy(second, build=build)
    other = (sys.executable, "-c", "open('built', 'a').write('y')")
    assert place.deploy(first, build=other).failure is None
    assert built.read_text() == "y"


def test_a_folder_without_its_completion_marker_is_made_anew(place: Place) -> None:
    release = place.release("v1")
    half = place.home / "releases" / release.commit
    half.mkdir(parents=True)
    (half / "app.py").write_text("half of a fi")
    assert place.deploy(release).failure is None
    assert place.answer()[0] == "v1"


def test_a_failed_build_changes_nothing_and_leaves_no_folder(place: Place) -> None:
    first, second = place.release("v1"), place.release("v2")
    place.deploy(first)
    before = place.answer()
    script = "import sys; print('error: no module named orders'); sys.exit(2)"
    result = place.deploy(second, build=(sys.executable, "-c", script))
    assert result.failure.code == "build_failed"
    assert "status 2" in result.failure.message
    assert "no module named orders" in result.failure.message
    assert result.serving.commit == first.commit
    assert place.answer() == before
    assert second.commit not in place.folders()
    assert b"no module named orders" in place.artifacts().get(result.logs[0])


def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(place: Place) -> None:
    release = place.release("v1")
    script = (
        "import subprocess, sys, time; nap = [sys.executable, '-c', 'import time; time.sleep(600)'];"
        "subprocess.Popen(nap, start_new_session=True); time.sleep(600)"
    )
    result = place.deploy(release, build=(sys.executable, "-c", script), build_within=timedelta(seconds=1))
    assert result.failure.code == "timed_out"
    assert place.living() == set()


@pytest.mark.parametrize("key", ["start", "build"])
def test_a_program_that_is_not_there_is_named(place: Place, key: str) -> None:
    result = place.deploy(place.release("v1"), **{key: ("no-such-program",)})
    assert result.failure.code == ("start_failed" if key == "start" else "build_failed")
    assert "no-such-program" in result.failure.message


def test_a_commit_that_is_not_there_is_no_fault_of_the_environment(place: Place) -> None:
    first = place.release("v1")
    place.deploy(first)
    result = place.deploy(first.model_copy(update={"commit": "0" * 40, "version": "gone"}))
    assert result.failure.code == "source_unavailable"
    assert result.serving.commit == first.commit


# the candidate


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


def test_rollback_works_when_the_folder_was_pruned(place: Place) -> None:
    first = place.release("v1")
    place.deploy(first, keep_releases=1)
    for version in ("v2", "v3"):
        place.deploy(place.release(version), keep_releases=1)
    assert first.commit not in place.folders()
    result = place.deployer().rollback(first, _silent)
    assert result.failure is None
    assert place.answer()[0] == "v1"


def test_old_releases_go_but_never_the_running_or_the_last_verified_one(place: Place) -> None:
    releases = [place.release(f"v{number}") for number in range(1, 6)]
    good = {releases[0].commit, releases[1].commit}
    for release in releases:
        place.deploy(release, keep_releases=1, verified=good.__contains__)
    assert place.folders() == {releases[1].commit, releases[4].commit}


def test_write_protected_folders_of_a_build_are_pruned_too(place: Place) -> None:
    script = (
        "import os; os.makedirs('cache/inner'); open('cache/inner/f', 'w').close(); os.chmod('cache', 0o555)"
    )
    for version in ("v1", "v2", "v3"):
        place.deploy(place.release(version), keep_releases=1, build=(sys.executable, "-c", script))
    assert len(place.folders()) == 1


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
