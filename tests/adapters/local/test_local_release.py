"""What a release is made of: the exact commit, its placeholders, its build; and which ones are kept."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import pytest

from midas_devops.errors import ConfigError
from tests.adapters.local.place import Place


def _silent(_: str) -> None:
    return None


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


def test_the_plan_shows_the_very_command_line_of_the_build(place: Place) -> None:
    release = place.release("v1")
    planned = place.deployer(build=("sh", "-c", "make {version}\nmake all")).plan(release)
    assert planned.effects[1] == "build it: sh -c 'make v1\\nmake all'"


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
