"""Pulumi's engine beyond the suite: protection, what is cut off, locks, secrets, wrong surroundings."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from midas_devops.domain.changes import ResourceChange
from midas_devops.errors import ToolError, UsageError
from midas_devops.ports.iac import PlanInputs
from midas_devops.testing.iac import SECRET, Watcher, applied, planned, put

from .projects import PulumiProject

EFFECT = "run-1:apply"


@pytest.fixture
def project(tmp_path: Path) -> PulumiProject:
    return PulumiProject(tmp_path / "project")


class TestGuard:
    def test_both_orders_of_a_replacement_are_a_replacement(self, project: PulumiProject) -> None:
        put(project, {"a": "replace:1"})
        project.want({"a": "replace:2"})
        plan = planned(project)
        (change,) = plan.changes
        assert change == ResourceChange(
            address=project.address("a"), type="pulumi-python:dynamic:Resource", actions=("create", "delete")
        )
        result = applied(project, plan)
        assert (result.created, result.destroyed) == ((project.address("a"),), (project.address("a"),))

    def test_what_pulumi_protects_is_not_even_planned(self, project: PulumiProject) -> None:
        project.wanted({"a": "1"}, protect=["a"])
        assert applied(project, planned(project)).failure is None
        project.want({})
        failure = project.engine().plan(Watcher()).failure
        assert failure is not None
        assert failure.code == "plan_failed"
        assert "protected" in failure.message or "protected" in failure.diagnostics[0].detail
        assert project.address("a") in {item.address for item in failure.diagnostics}

    def test_a_retained_resource_is_forgotten_and_goes_on_to_exist(self, project: PulumiProject) -> None:
        project.wanted({"a": "1"}, retain=["a"])
        assert applied(project, planned(project)).failure is None
        before = set(project.world())
        project.want({})
        plan = planned(project)
        assert (plan.changes[0].actions, plan.counts.forget) == (("forget",), 1)
        assert applied(project, plan).failure is None
        assert set(project.world()) == before

    def test_a_destroy_is_bound_to_the_state_that_it_was_planned_against(
        self, project: PulumiProject
    ) -> None:
        put(project, {"a": "1"})
        project.want({"a": "1", "b": "2"})
        more, destroy = planned(project), planned(project, destroy=True)
        assert applied(project, more).failure is None
        result = applied(project, destroy)
        assert result.failure is not None
        assert (result.failure.code, result.destroyed) == ("stale_plan", ())
        assert "the state changed" in result.failure.message
        assert len(project.world()) == 3  # a, b and the counter

    def test_a_plan_of_another_version_is_not_carried_out(self, project: PulumiProject) -> None:
        project.want({"a": "1"})
        plan = planned(project)
        assert plan.saved_plan is not None
        saved = json.loads(project.artifacts.get(plan.saved_plan))
        saved["engine"] = "pulumi 3.1.0"
        other = project.artifacts.put(json.dumps(saved).encode(), "saved-plan.json", private=True)
        result = project.engine().apply(other, Watcher(), effect=EFFECT)
        assert result.failure is not None
        assert (result.failure.code, result.created) == ("stale_plan", ())

    def test_the_update_is_held_to_the_saved_plan(self, project: PulumiProject) -> None:
        # What the program reads from outside of its folder can differ although no file of it changed.
        project.want({"a": "1"})
        plan = planned(project)
        assert plan.saved_plan is not None
        saved = json.loads(project.artifacts.get(plan.saved_plan))
        constraint = json.loads(saved["plan"])
        urn = next(urn for urn in constraint["resourcePlans"] if urn.endswith("::a"))
        constraint["resourcePlans"][urn]["goal"]["inputDiff"]["adds"]["value"] = "something else"
        saved["plan"] = json.dumps(constraint)
        other = project.artifacts.put(json.dumps(saved).encode(), "saved-plan.json", private=True)
        result = project.engine().apply(other, Watcher(), effect=EFFECT)
        assert result.failure is not None
        assert (result.failure.code, result.created) == ("stale_plan", ())
        assert not (project.states / "world.json").exists()


class TestLocks:
    def test_the_holder_is_named_with_its_age(self, project: PulumiProject) -> None:
        put(project, {"a": "1"})
        with project.locked_by_another():
            failure = project.engine().plan(Watcher()).failure
            assert failure is not None
            assert failure.lock_holder.startswith("ana@build-7 (pid 4242) since ")
            assert "for 3 min" in failure.lock_holder

    def test_a_lock_is_waited_for_as_long_as_the_settings_say(self, tmp_path: Path) -> None:
        project = PulumiProject(tmp_path / "project", lock_wait="60s")
        put(project, {"a": "1"})
        project.want({"a": "2"})
        with ThreadPoolExecutor() as others, project.locked_by_another():
            waiting = others.submit(planned, project)
            (lock,) = project.locks.glob("*.json")
            lock.rename(project.states / "given-back")
            assert waiting.result(timeout=60).counts.change == 1
            (project.states / "given-back").rename(lock)

    def test_a_lock_of_another_process_of_this_machine_stays(self, project: PulumiProject) -> None:
        put(project, {"a": "1"})
        with project.locked_by_another():
            (lock,) = project.locks.glob("*.json")
            said = json.loads(lock.read_bytes()) | {"hostname": socket.gethostname(), "pid": 2**22 + 1}
            lock.write_text(json.dumps(said))
            assert project.engine().plan(Watcher()).failure is not None
            assert project.engine().left_behind(EFFECT) is None
            assert lock.exists()

    def test_a_lock_that_cannot_be_read_is_one(self, project: PulumiProject) -> None:
        put(project, {"a": "1"})
        project.locks.mkdir(parents=True, exist_ok=True)
        (project.locks / "half.json").write_text("{")
        failure = project.engine().drift(Watcher()).failure
        assert failure is not None
        assert (failure.code, failure.lock_holder) == ("state_locked", "somebody (lock half)")

    def test_a_lock_in_a_backend_that_is_no_folder_is_found_by_pulumi_itself(
        self, project: PulumiProject
    ) -> None:
        project.environ["PULUMI_BACKEND_URL"] = f"standin://{project.states}"
        put(project, {"a": "1"})
        project.want({"a": "2"})
        plan = planned(project)
        with project.locked_by_another() as holder:
            result = applied(project, plan)
        assert result.failure is not None
        assert result.failure.code == "state_locked"
        assert result.failure.lock_holder.startswith(f"{holder} (pid 4242) at ")
        assert applied(project, plan).failure is None


class TestDrift:
    def test_what_changed_outside_is_named_and_nothing_is_written(self, project: PulumiProject) -> None:
        put(project, {"a": "1", "b": "2", "c": "3"})
        before, world = project.state(), project.world()
        by_value = {value: identifier for identifier, value in world.items()}
        world[by_value["2"]] = "changed by hand"
        del world[by_value["3"]]
        (project.states / "world.json").write_text(json.dumps(world))
        result = project.engine().drift(Watcher())
        assert [(change.address, change.actions, change.attributes) for change in result.changes] == [
            (project.address("b"), ("update",), ("value",)),
            (project.address("c"), ("delete",), ()),
        ]
        assert project.state() == before


class TestFailures:
    def test_an_error_of_the_program_names_file_and_line(self, project: PulumiProject) -> None:
        text = 'Program failed\nTraceback:\n  File "/usr/lib/python3/runpy.py", line 4, in run\n'
        text += f'  File "{project.folder}/__main__.py", line 12, in <module>\nKeyError: region'
        project.wanted({}, error=text)
        failure = project.engine().validate(Watcher())
        assert failure is not None
        assert failure.code == "invalid_configuration"
        assert (failure.diagnostics[0].file, failure.diagnostics[0].line) == ("infra/__main__.py", 12)
        assert "KeyError" in failure.diagnostics[0].detail

    def test_without_a_passphrase_it_says_which_variable_is_missing(self, project: PulumiProject) -> None:
        del project.environ["PULUMI_CONFIG_PASSPHRASE"]
        project.want({"a": "1"})
        failure = project.engine().plan(Watcher()).failure
        assert failure is not None
        assert "PULUMI_CONFIG_PASSPHRASE" in failure.message

    def test_without_pulumi_it_says_where_to_get_it(self, project: PulumiProject) -> None:
        project.environ["PATH"] = "/nowhere"
        with pytest.raises(ToolError, match="not installed") as caught:
            project.engine().describe  # noqa: B018 - the property is what is called
        assert "pulumi.com" in caught.value.hint

    def test_a_state_that_is_broken_is_told_and_left(self, project: PulumiProject) -> None:
        put(project, {"a": "1"})
        file = project.states / ".pulumi" / "stacks" / "sample" / "staging.json"
        file.write_text('{"checkpoint": {"latest": {"resources": 3}}}')
        with pytest.raises(ToolError, match="cannot be read"):
            project.engine().state_identity()
        assert project.engine().plan(Watcher()).failure is not None

    def test_a_folder_without_a_project_is_a_wrong_request(
        self, tmp_path: Path, project: PulumiProject
    ) -> None:
        (project.folder / "Pulumi.yaml").unlink()
        with pytest.raises(UsageError, match="no Pulumi project"):
            project.engine()

    def test_what_pulumi_cannot_do_is_refused(self, project: PulumiProject) -> None:
        project.want({"a": "1"})
        engine = project.engine()
        assert engine.given(PlanInputs()) is engine
        for inputs in (PlanInputs(variables={"a": "1"}), PlanInputs(targets=("a",))):
            with pytest.raises(UsageError, match="neither variables nor targets"):
                engine.given(inputs)
        adopted = engine.adopt(project.folder / "plan.json", Watcher())
        assert adopted.failure is not None
        assert adopted.failure.code == "foreign_plan"


class TestStacks:
    def test_a_stack_that_was_named_and_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        project = PulumiProject(tmp_path / "project", workspace="blue")
        project.want({"a": "1"})
        failure = project.engine().plan(Watcher()).failure
        assert failure is not None
        assert failure.code == "workspace_missing"
        assert project.engine().create_workspace(Watcher())
        assert not project.engine().create_workspace(Watcher())
        assert planned(project).counts.add == 1

    def test_stacks_of_one_program_have_their_own_state(self, tmp_path: Path) -> None:
        project = PulumiProject(tmp_path / "project")
        state = put(project, {"a": "1"})
        project.settings = {"workspace": "blue"}
        project.engine().create_workspace(Watcher())
        assert planned(project).counts.add == 1
        project.settings = {}
        assert project.engine().state_identity() == state
        assert state.lineage == "sample/staging"


def test_a_secret_is_nowhere_but_in_private_artifacts(project: PulumiProject) -> None:
    watcher = Watcher()
    project.want({"a": "1"})
    plan = project.engine().plan(watcher)
    assert plan.saved_plan is not None
    result = project.engine().apply(plan.saved_plan, watcher, effect=EFFECT)
    assert project.engine().sensitive_outputs() == ("token",)
    assert "token" not in result.outputs
    known = set(project.engine().sensitive_values())
    assert {SECRET, project.environ["PULUMI_CONFIG_PASSPHRASE"]} <= known
    private = project.root / ".midas" / "artifacts" / "private"
    written = [path for path in (project.root / ".midas").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if SECRET in path.read_text() and not path.is_relative_to(private)]
    assert {path.stat().st_mode & 0o077 for path in private.rglob("*") if path.is_file()} == {0}
