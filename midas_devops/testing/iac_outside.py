"""What every engine must do with a request's inputs, somebody's plans, the workspace and the outputs."""

# ruff: noqa: PT018 - a conformance suite is tests that ship
from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.domain.changes import StateIdentity
from midas_devops.errors import UsageError
from midas_devops.ports.iac import PlanInputs
from midas_devops.testing.iac_subject import SECRET, Subject, Watcher, applied, planned, put


class IacOutsideConformance:
    """A part of the suite. ``subject`` is a fixture of the subclass."""

    def test_a_request_that_adds_nothing_changes_nothing(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        engine = subject.engine()
        assert engine.given(PlanInputs()).config_sha256() == engine.config_sha256()
        assert engine.given(PlanInputs()).plan(Watcher()).counts.add == 1

    def test_targets_of_a_request_limit_its_plan_alone_or_are_refused(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2"})
        engine = subject.engine()
        only = subject.address("a")
        try:
            limited = engine.given(PlanInputs(targets=(only,)))
        except UsageError:
            pass  # an engine that knows none; what it says to do instead is its own
        else:
            plan = limited.plan(Watcher())
            assert [change.address for change in plan.changes] == [only]
            assert plan.targets == (only,)
        everything = engine.plan(Watcher())
        assert everything.counts.add == 2
        assert everything.targets == ()

    @pytest.mark.parametrize(
        "inputs",
        [
            PlanInputs(variables={"-destroy": "yes"}),
            PlanInputs(targets=("-destroy",)),
            PlanInputs(var_files=("nowhere.values",)),
            PlanInputs(var_files=("../outside.values",)),
        ],
        ids=["variable", "target", "missing", "outside"],
    )
    def test_what_is_no_input_is_refused(self, subject: Subject, inputs: PlanInputs) -> None:
        subject.want({"a": "1"})
        with pytest.raises(UsageError):
            subject.engine().given(inputs)

    def test_what_is_no_plan_of_this_engine_is_not_taken_over(self, subject: Subject, tmp_path: Path) -> None:
        state = put(subject, {"a": "1"})
        file = tmp_path / "somebodys.plan"
        file.write_text("delete everything")
        result = subject.engine().adopt(file, Watcher())
        assert result.failure is not None and result.failure.code == "foreign_plan"
        assert result.saved_plan is None
        assert subject.engine().state_identity() == state

    def test_a_plan_that_is_not_there_is_not_taken_over(self, subject: Subject, tmp_path: Path) -> None:
        subject.want({"a": "1"})
        result = subject.engine().adopt(tmp_path / "no-such.plan", Watcher())
        assert result.failure is not None and result.failure.code == "foreign_plan"
        assert "no-such.plan" in result.failure.message
        assert result.saved_plan is None

    def test_a_workspace_that_is_there_is_not_made_again(self, subject: Subject) -> None:
        state = put(subject, {"a": "1"})
        assert not subject.engine().create_workspace(Watcher())
        assert subject.engine().state_identity() == state

    def test_making_the_workspace_twice_makes_it_once_and_nothing_in_it(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        subject.engine().create_workspace(Watcher())
        assert not subject.engine().create_workspace(Watcher())
        assert planned(subject).counts.add == 1

    def test_there_are_no_outputs_before_the_first_apply(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        engine = subject.engine()
        assert (engine.outputs(), tuple(engine.sensitive_outputs())) == ({}, ())
        assert engine.state_identity() == StateIdentity()

    def test_sensitive_outputs_are_named_and_never_among_the_others(self, subject: Subject) -> None:
        put(subject, {"a": "1", "b": "2"})
        engine = subject.engine()
        names, shown = engine.sensitive_outputs(), engine.outputs()
        assert len(names) == 1
        assert shown == {"names": "a,b"}
        assert SECRET not in f"{names} {shown}"

    def test_outputs_go_with_the_environment(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        assert applied(subject, planned(subject, destroy=True)).failure is None
        assert (subject.engine().outputs(), tuple(subject.engine().sensitive_outputs())) == ({}, ())
