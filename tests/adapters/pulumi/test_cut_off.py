"""Updates of Pulumi that are cut off: by us, by a person, by time; nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from midas_devops.adapters.child import interrupt_running
from midas_devops.testing.iac import Watcher, applied, planned

from .projects import PulumiProject

EFFECT = "run-1:apply"
APPLY = """
import json, sys
from pathlib import Path
from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.pulumi.engine import PulumiEngine
from midas_devops.config import Infrastructure
from midas_devops.domain.artifacts import ArtifactRef

root, environ, plan = Path(sys.argv[1]), json.loads(sys.argv[2]), ArtifactRef.model_validate_json(sys.argv[3])
artifacts = open_artifacts(".midas/artifacts", root)
settings = Infrastructure(config="infra", engine="pulumi")
engine = PulumiEngine(root, "staging", Path("infra"), settings, artifacts, environ)
engine.apply(plan, lambda line: None, effect=sys.argv[4])
"""


@pytest.fixture
def project(tmp_path: Path) -> PulumiProject:
    return PulumiProject(tmp_path / "project")


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def begun_elsewhere(project: PulumiProject, name: str = "b") -> subprocess.Popen[bytes]:
    """An apply in a process of its own, which stands still with ``name`` made and not noted."""
    (project.states / "world.hold").touch()
    project.wanted({"a": "1", "b": "2", "c": "3"}, hold=name)
    plan = planned(project)
    assert plan.saved_plan is not None
    arguments = [str(project.root), json.dumps(project.environ), plan.saved_plan.model_dump_json(), EFFECT]
    ours = subprocess.Popen([sys.executable, "-c", APPLY, *arguments], start_new_session=True)
    count = "abc".index(name) + 1
    file = project.states / "world.json"
    until(lambda: file.exists() and project.world().get("creations") == count, f"{name} is made")
    return ours


def test_an_engine_that_outlives_us_is_found_and_its_work_is_read(project: PulumiProject) -> None:
    ours = begun_elsewhere(project)
    ours.kill()
    ours.wait()
    engine = project.engine()
    found = engine.in_flight(EFFECT)
    assert found.alive
    assert psutil.pid_exists(found.pid)
    (project.states / "world.hold").unlink()
    until(lambda: not engine.in_flight(EFFECT).alive, "the engine ends")
    left = engine.left_behind(EFFECT)
    assert left is not None
    assert left.failure is None
    assert left.created == tuple(map(project.address, "abc"))
    assert left.state == engine.state_identity()
    assert planned(project).counts.total == 0
    assert project.world()["creations"] == 3


def test_an_engine_is_known_by_its_plan_and_not_by_a_number_alone(project: PulumiProject) -> None:
    ours = begun_elsewhere(project)
    ours.kill()
    ours.wait()
    (noted,) = (project.root / ".midas" / "artifacts" / "private").rglob("effects/*.json")
    record = json.loads(noted.read_bytes())
    noted.write_text(json.dumps(record | {"pid": 0}))  # we died before its number was known
    assert project.engine().in_flight(EFFECT).pid == record["pid"]
    mine = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    noted.write_text(json.dumps(record | mine))  # its number was given to somebody else
    assert not project.engine().in_flight(EFFECT).alive
    (project.states / "world.hold").unlink()
    until(lambda: not psutil.pid_exists(record["pid"]), "the engine ends")


def test_a_killed_engine_leaves_a_creation_in_doubt_and_nothing_is_made_twice(project: PulumiProject) -> None:
    ours = begun_elsewhere(project)
    engine = project.engine()
    running = engine.in_flight(EFFECT)
    ours.kill()
    ours.wait()
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: not engine.in_flight(EFFECT).alive, "the engine is gone")
    assert list(project.locks.glob("*.json"))
    left = engine.left_behind(EFFECT)
    assert left is not None
    assert left.failure is not None
    assert left.created == (project.address("a"),)
    assert left.failed == (project.address("b"),)
    assert left.tainted == (project.address("b"),)
    assert left.not_begun == (project.address("c"),)
    assert not list(project.locks.glob("*.json")), "our own engine's lock is removed"
    (project.states / "world.hold").unlink()
    refused = engine.plan(Watcher())
    assert refused.failure is not None
    assert refused.failure.code == "unreadable_state"
    assert project.address("b") in refused.failure.message
    assert "pulumi refresh --stack staging" in refused.failure.message
    assert project.world()["creations"] == 2


def test_an_interrupt_ends_after_the_resource_it_is_at(project: PulumiProject) -> None:
    (project.states / "world.hold").touch()
    project.wanted({"a": "1", "b": "2"}, hold="a")
    plan = planned(project)

    def interrupt() -> None:
        until((project.states / "world.json").exists, "a is made")
        interrupt_running()

    other = threading.Thread(target=interrupt)
    other.start()
    result = applied(project, plan)
    other.join()
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert (result.created, result.not_begun) == ((project.address("a"),), (project.address("b"),))
    assert not list(project.locks.glob("*.json"))
    project.want({"a": "1", "b": "2"})
    again = planned(project)
    assert [change.address for change in again.changes] == [project.address("b")]


def test_one_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    project = PulumiProject(tmp_path / "project", timeout="2s")
    (project.states / "world.hold").touch()
    project.wanted({"a": "1", "b": "2"}, hold="a")
    result = applied(project, planned(project))
    assert result.failure is not None
    assert result.failure.code == "timed_out"
    assert (result.created, result.not_begun) == ((project.address("a"),), (project.address("b"),))
