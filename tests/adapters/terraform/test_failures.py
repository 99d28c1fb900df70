"""What a real engine does when it is locked, slow, interrupted, or its own process of ours is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from midas_devops.errors import ToolError
from midas_devops.ports.iac import PlanResult
from midas_devops.testing.iac import Watcher

from .projects import TerraformProject, engines

SLOW = """
resource "terraform_data" "first" {
  input = "1"
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "touch begun; while [ ! -e go ]; do sleep 0.05; done"
  }
}
resource "terraform_data" "last" {
  depends_on = [terraform_data.slow]
}
"""
"""Waits in the middle until the file ``go`` appears."""
APPLY = """
import json, os, sys
from pathlib import Path
from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.terraform.engine import TerraformEngine
from midas_devops.config import Infrastructure
root, choice, sha256 = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
artifacts = open_artifacts(".midas/artifacts", root)
settings = Infrastructure(config="infra/staging", engine=choice)
engine = TerraformEngine(root, "staging", Path("infra/staging"), settings, artifacts, os.environ)
engine.apply(artifacts.find(sha256), lambda line: None, effect="run-1:apply")
"""


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A test run that was started in the background ignores Ctrl-C, and so would everything in it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TerraformProject]:
    project = TerraformProject(tmp_path / "project", request.param)
    yield project
    (project.folder / "go").touch()


def planned(project: TerraformProject) -> PlanResult:
    plan = project.engine().plan(Watcher())
    assert plan.failure is None, plan.failure
    return plan


class OnLine:
    """Does something the first time a progress line contains a text."""

    def __init__(self, wanted: str, action: Callable[[], None]) -> None:
        self.wanted = wanted
        self.action = action
        self.done = False

    def __call__(self, line: str) -> None:
        if self.wanted in line and not self.done:
            self.done = True
            self.action()


def start_apply(project: TerraformProject, plan: PlanResult) -> subprocess.Popen[bytes]:
    """An apply in a process of its own, which is in the middle of its work."""
    assert plan.saved_plan is not None
    env = {**project.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", APPLY, str(project.root), project.choice, plan.saved_plan.sha256]
    process = subprocess.Popen(command, env=env)
    assert eventually((project.folder / "begun").exists)
    return process


class TestKilled:
    def test_the_engine_goes_on_and_is_found_by_a_new_process(self, project: TerraformProject) -> None:
        project.write(SLOW)
        plan = planned(project)
        with start_apply(project, plan) as ours:
            ours.kill()
        flight = project.engine().in_flight("run-1:apply")
        assert flight.alive
        assert plan.saved_plan is not None
        assert plan.saved_plan.sha256 in " ".join(psutil.Process(flight.pid).cmdline())
        assert not project.engine().in_flight("run-2:apply").alive

        (project.folder / "go").touch()
        assert eventually(lambda: not project.engine().in_flight("run-1:apply").alive)
        left = project.engine().left_behind("run-1:apply")
        assert left is not None
        assert left.failure is None
        assert len(left.created) == 3
        assert left.state == project.engine().state_identity() != plan.state
        assert planned(project).counts.total == 0

    def test_it_is_found_without_a_recorded_process_id(self, project: TerraformProject) -> None:
        project.write(SLOW)
        with start_apply(project, planned(project)) as ours:
            ours.kill()
        pid = project.engine().in_flight("run-1:apply").pid
        [record] = project.root.glob(".midas/terraform/*/effects/*.json")
        record.write_text(json.dumps({**json.loads(record.read_text()), "pid": 0, "started": 0.0}))
        assert project.engine().in_flight("run-1:apply").pid == pid

    def test_another_process_with_its_number_is_not_taken_for_it(self, project: TerraformProject) -> None:
        project.write(SLOW)
        with start_apply(project, planned(project)) as ours:
            ours.kill()
        [record] = project.root.glob(".midas/terraform/*/effects/*.json")
        record.write_text(json.dumps({**json.loads(record.read_text()), "pid": os.getpid()}))
        assert not project.engine().in_flight("run-1:apply").alive

    def test_when_the_engine_dies_too_what_it_did_is_read_from_its_output(
        self, project: TerraformProject
    ) -> None:
        project.write(SLOW)
        with start_apply(project, planned(project)) as ours:
            engine = psutil.Process(project.engine().in_flight("run-1:apply").pid)
            ours.kill()
        engine.kill()
        assert eventually(lambda: not project.engine().in_flight("run-1:apply").alive)
        left = project.engine().left_behind("run-1:apply")
        assert left is not None
        assert left.failure is not None
        assert left.created == ("terraform_data.first",)
        assert left.failed == left.orphans == ("terraform_data.slow",)
        assert left.not_begun == ("terraform_data.last",)
        assert left.log is not None
        assert b"terraform_data.first: Creation complete" in project.artifacts.get(left.log)

    def test_nothing_is_left_behind_by_an_apply_that_was_seen_to_its_end(
        self, project: TerraformProject
    ) -> None:
        project.want({"a": "1"})
        plan = planned(project)
        assert plan.saved_plan is not None
        project.engine().apply(plan.saved_plan, Watcher(), effect="run-1:apply")
        assert project.engine().left_behind("run-1:apply") is None
        assert not list(project.root.glob(".midas/artifacts/private/engine/*/*"))


class TestInterrupted:
    def test_ctrl_c_lets_the_engine_record_what_it_did(self, project: TerraformProject) -> None:
        project.write(SLOW)
        plan = planned(project)
        assert plan.saved_plan is not None
        press = OnLine("terraform_data.slow: create", lambda: os.kill(os.getpid(), signal.SIGINT))
        result = project.engine().apply(plan.saved_plan, press, effect="run-1:apply")
        assert result.failure is not None
        assert result.failure.code == "cancelled"
        assert result.created == ("terraform_data.first",)
        assert result.tainted == ("terraform_data.slow",)
        assert result.orphans == ()
        assert result.not_begun == ("terraform_data.last",)
        assert not project.engine().in_flight("run-1:apply").alive
        assert not (project.folder / ".terraform.tfstate.lock.info").exists()

    def test_an_apply_that_takes_too_long_is_ended_gracefully(self, project: TerraformProject) -> None:
        project.write(SLOW)
        plan = planned(project)
        assert plan.saved_plan is not None
        project.settings["timeout"] = "5s"
        result = project.engine().apply(plan.saved_plan, Watcher(), effect="run-1:apply")
        assert result.failure is not None
        assert result.failure.code == "timed_out"
        assert result.created == ("terraform_data.first",)
        assert result.state == project.engine().state_identity()

    def test_what_is_left_is_planned_and_applied_afterwards(self, project: TerraformProject) -> None:
        project.write(SLOW)
        plan = planned(project)
        assert plan.saved_plan is not None
        press = OnLine("terraform_data.slow: create", lambda: os.kill(os.getpid(), signal.SIGINT))
        project.engine().apply(plan.saved_plan, press, effect="run-1:apply")
        (project.folder / "go").touch()
        rest = planned(project)
        assert {change.address: change.actions for change in rest.changes} == {
            "terraform_data.slow": ("delete", "create"),
            "terraform_data.last": ("create",),
        }
        assert rest.saved_plan is not None
        result = project.engine().apply(rest.saved_plan, Watcher(), effect="run-1:apply:2")
        assert result.failure is None


class TestLocked:
    def test_a_working_engine_holds_the_lock_and_is_named_with_its_age(
        self, project: TerraformProject
    ) -> None:
        project.write(SLOW)
        with start_apply(project, planned(project)) as ours:
            refused = project.engine().plan(Watcher())
            (project.folder / "go").touch()
            assert ours.wait(60) == 0
        assert refused.failure is not None
        assert refused.failure.code == "state_locked"
        holder = refused.failure.lock_holder
        assert "@" in holder
        assert "for apply" in holder
        assert " UTC, for " in holder
        assert holder in refused.failure.message

    def test_lock_wait_waits_for_the_lock(self, project: TerraformProject) -> None:
        project.write(SLOW)
        with start_apply(project, planned(project)) as ours:
            project.settings["lock_wait"] = "60s"
            results: list[PlanResult] = []
            waiting = threading.Thread(target=lambda: results.append(project.engine().plan(Watcher())))
            waiting.start()
            (project.folder / "go").touch()
            waiting.join(90)
            assert ours.wait(60) == 0
        assert results[0].failure is None


class TestState:
    def test_a_plan_is_stale_when_the_state_moved(self, project: TerraformProject) -> None:
        project.want({"a": "1"})
        first = planned(project)
        project.want({"b": "1"})
        second = planned(project)
        assert first.saved_plan is not None
        assert second.saved_plan is not None
        assert project.engine().apply(second.saved_plan, Watcher(), effect="2").failure is None
        result = project.engine().apply(first.saved_plan, Watcher(), effect="1")
        assert result.failure is not None
        assert result.failure.code == "stale_plan"
        assert planned(project).prior_addresses == ("terraform_data.b",)

    def test_a_state_that_is_no_state_is_said_to_be_unreadable(self, project: TerraformProject) -> None:
        project.want({"a": "1"})
        (project.folder / "terraform.tfstate").write_text("garbage")
        refused = project.engine().plan(Watcher())
        assert refused.failure is not None
        assert refused.failure.code == "unreadable_state"
        with pytest.raises(ToolError, match="cannot be read"):
            project.engine().state_identity()

    def test_a_state_at_a_path_of_the_backends_is_found(self, project: TerraformProject) -> None:
        project.want({"a": "1"})
        project.write('terraform {\n  backend "local" {\n    path = "states/x.json"\n  }\n}\n', "backend.tf")
        commit = project.commit()
        plan = planned(project)
        assert plan.saved_plan is not None
        result = project.engine().apply(plan.saved_plan, Watcher(), effect="1")
        raw = json.loads((project.folder / "states" / "x.json").read_text())
        assert (result.state.lineage, result.state.serial) == (raw["lineage"], raw["serial"])
        assert result.state == project.engine().state_identity()
        project.want({"a": "1", "b": "1"})
        reverted = project.engine().plan(Watcher(), config_commit=commit)
        assert reverted.state == result.state
        assert reverted.counts.total == 0
