"""Conformance suite of IacEngine: what every engine must do, whatever it is made of.

Subclass :class:`IacEngineConformance` in a test module and give it a ``subject`` fixture.
"""

# ruff: noqa: PT018 - a conformance suite is tests that ship
from __future__ import annotations

from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.guard import evaluate
from midas_devops.domain.plan_document import read_plan
from midas_devops.testing.iac_outside import IacOutsideConformance
from midas_devops.testing.iac_subject import REPLACE, SECRET, Subject, Watcher, applied, planned, put

__all__ = ["REPLACE", "SECRET", "IacEngineConformance", "Subject", "Watcher", "applied", "planned", "put"]


class IacEngineConformance(IacOutsideConformance):
    """The suite. ``subject`` is a fixture of the subclass."""

    def test_first_plan_creates_and_changes_nothing(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2"})
        plan = planned(subject)
        assert {change.address: change.actions for change in plan.changes} == {
            subject.address("a"): ("create",),
            subject.address("b"): ("create",),
        }
        assert plan.counts.add == plan.counts.total == 2
        assert plan.prior_addresses == ()
        assert plan.state == subject.engine().state_identity() == StateIdentity()
        assert plan.engine

    def test_plan_and_its_json_are_private_artifacts_that_agree(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        plan = planned(subject)
        assert plan.saved_plan is not None and plan.plan_json is not None
        assert plan.saved_plan.private and plan.plan_json.private
        document = read_plan(subject.artifacts.get(plan.plan_json))
        assert tuple(change.as_value() for change in document.changes) == plan.changes
        assert document.counts == plan.counts

    def test_apply_carries_the_saved_plan_out_and_reads_outputs(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2"})
        plan = planned(subject)
        result = applied(subject, plan)
        assert result.failure is None
        assert set(result.created) == {subject.address("a"), subject.address("b")}
        assert result.outputs["names"] == subject.engine().outputs()["names"] == "a,b"
        assert result.state == subject.engine().state_identity()
        assert result.state.lineage and result.state.serial > plan.state.serial
        assert result.log is not None and result.log.private

    def test_what_is_edited_after_the_plan_is_never_applied(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2"})
        plan = planned(subject)
        subject.want({"a": "1", "b": "2", "c": "3"})
        result = applied(subject, plan)
        if result.failure is None:  # the saved plan holds the configuration
            assert set(result.created) == {subject.address("a"), subject.address("b")}
        else:  # the engine reads the configuration again, so another one makes the plan stale
            assert result.failure.code == "stale_plan"
            assert result.created == ()
            assert subject.engine().state_identity() == plan.state

    def test_nothing_is_planned_when_all_is_there(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        plan = planned(subject)
        assert plan.counts.total == 0
        assert not plan.outputs_changed
        assert plan.prior_addresses == (subject.address("a"),)

    def test_a_saved_plan_is_applied_once(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        plan = planned(subject)
        assert applied(subject, plan).failure is None
        before = subject.engine().state_identity()
        again = applied(subject, plan)
        assert again.failure is not None and again.failure.code == "stale_plan"
        assert again.created == again.changed == again.destroyed == ()
        assert subject.engine().state_identity() == before

    def test_plan_names_updates_replacements_and_deletions(self, subject: Subject) -> None:
        put(subject, {"a": "1", "b": f"{REPLACE}1", "c": "1"})
        subject.want({"a": "2", "b": f"{REPLACE}2"})
        plan = planned(subject)
        actions = {change.address: set(change.actions) for change in plan.changes}
        assert actions == {
            subject.address("a"): {"update"},
            subject.address("b"): {"delete", "create"},
            subject.address("c"): {"delete"},
        }
        assert (plan.counts.change, plan.counts.replace, plan.counts.destroy) == (1, 1, 1)
        result = applied(subject, plan)
        assert result.failure is None
        assert result.changed == (subject.address("a"),)
        assert set(result.destroyed) == {subject.address("b"), subject.address("c")}

    def test_destroy_is_seen_as_the_end_of_the_environment(self, subject: Subject) -> None:
        put(subject, {"a": "1", "b": "2"})
        plan = planned(subject, destroy=True)
        report = evaluate(
            plan.changes, plan.prior_addresses, production=False, protected=(), allow_destroy=False
        )
        assert report.whole_environment
        assert report.verdict == "blocked"
        assert applied(subject, plan).failure is None
        assert planned(subject, destroy=True).counts.total == 0

    def test_plan_is_bound_to_the_state_it_was_made_against(self, subject: Subject) -> None:
        state = put(subject, {"a": "1"})
        subject.want({"a": "2"})
        assert planned(subject).state == state

    def test_a_failure_half_way_says_what_was_done_and_what_was_not(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2", "c": "3"}, failing=("b",))
        plan = planned(subject)
        result = applied(subject, plan)
        assert result.failure is not None and result.failure.code == "apply_failed"
        assert result.created == (subject.address("a"),)
        assert result.failed == (subject.address("b"),)
        assert result.not_begun == (subject.address("c"),)
        assert subject.address("b") in {item.address for item in result.failure.diagnostics}
        assert result.state.serial > plan.state.serial
        assert result.log is not None

    def test_what_remains_is_planned_afresh_after_a_failure(self, subject: Subject) -> None:
        subject.want({"a": "1", "b": "2"}, failing=("b",))
        assert applied(subject, planned(subject)).failure is not None
        subject.want({"a": "1", "b": "2"})
        plan = planned(subject)
        assert subject.address("a") not in {change.address for change in plan.changes}
        assert applied(subject, plan).failure is None

    def test_a_lock_of_somebody_else_is_reported_and_left(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        subject.want({"a": "2"})
        plan = planned(subject)
        with subject.locked_by_another() as holder:
            refused = subject.engine().plan(Watcher())
            result = applied(subject, plan)
            assert refused.failure is not None and refused.failure.code == "state_locked"
            assert holder in refused.failure.lock_holder
            assert result.failure is not None and result.failure.code == "state_locked"
            assert result.changed == ()
        assert applied(subject, plan).failure is None

    def test_nothing_has_drifted_where_nobody_changed_anything(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        assert not subject.engine().drift(Watcher()).drifted
        state = put(subject, {"a": "1"})
        subject.want({"a": "2", "b": "1"})
        result = subject.engine().drift(Watcher())
        assert result.failure is None, result.failure
        assert result.changes == ()
        assert result.engine == subject.engine().describe
        assert subject.engine().state_identity() == state

    def test_looking_for_drift_leaves_a_saved_plan_good(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        subject.want({"a": "2"})
        plan = planned(subject)
        assert subject.engine().drift(Watcher()).failure is None
        assert applied(subject, plan).failure is None

    def test_drift_cannot_be_told_while_somebody_else_holds_the_lock(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        with subject.locked_by_another() as holder:
            failure = subject.engine().drift(Watcher()).failure
        assert failure is not None and failure.code == "state_locked"
        assert holder in failure.lock_holder
        assert subject.engine().drift(Watcher()).failure is None

    def test_drift_of_an_invalid_configuration_is_a_failure(self, subject: Subject) -> None:
        subject.garble()
        result = subject.engine().drift(Watcher())
        assert result.failure is not None
        assert result.failure.code in ("invalid_configuration", "init_failed")
        assert not result.drifted

    def test_an_invalid_configuration_is_named_with_its_file(self, subject: Subject) -> None:
        subject.garble()
        plan = subject.engine().plan(Watcher())
        failure = subject.engine().validate(Watcher())
        assert plan.failure is not None
        assert plan.failure.code in ("invalid_configuration", "init_failed")
        assert failure is not None
        assert failure.message

    def test_a_valid_configuration_has_no_failure(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        assert subject.engine().validate(Watcher()) is None

    def test_the_configuration_hash_follows_every_edit(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        first = subject.engine().config_sha256()
        plan = planned(subject)
        assert plan.config_sha256 == subject.engine().config_sha256() == first
        assert applied(subject, plan).failure is None
        assert subject.engine().config_sha256() == first
        subject.want({"a": "2"})
        assert subject.engine().config_sha256() != first

    def test_an_earlier_commit_is_planned_against_todays_state(self, subject: Subject) -> None:
        put(subject, {"a": "1"})
        good = subject.commit()
        state = put(subject, {"a": "2", "b": "2"})
        edited = subject.engine().config_sha256()
        plan = planned(subject, config_commit=good)
        assert plan.state == state
        assert {change.address: change.actions for change in plan.changes} == {
            subject.address("a"): ("update",),
            subject.address("b"): ("delete",),
        }
        result = applied(subject, plan)
        assert result.failure is None, result.failure
        assert result.state.lineage == state.lineage
        assert subject.engine().state_identity() == result.state
        assert subject.engine().outputs()["names"] == "a"
        assert subject.engine().config_sha256() == edited
        assert planned(subject, config_commit=good).counts.total == 0

    def test_nothing_is_in_flight_before_and_after_an_apply(self, subject: Subject) -> None:
        assert not subject.engine().in_flight("run-1:apply").alive
        put(subject, {"a": "1"})
        assert not subject.engine().in_flight("run-1:apply").alive

    def test_sensitive_values_are_named_for_the_redactor_only(self, subject: Subject) -> None:
        subject.want({"a": "1"})
        engine, watcher = subject.engine(), Watcher()
        plan = engine.plan(watcher)
        assert plan.saved_plan is not None
        result = engine.apply(plan.saved_plan, watcher, effect="run-1:apply")
        assert SECRET in set(engine.sensitive_values())
        assert SECRET in set(subject.engine().sensitive_values())
        shown = [plan.model_dump_json(), result.model_dump_json(), str(engine.outputs()), *watcher.lines]
        assert not [text for text in shown if SECRET in text]

    def test_describe_names_engine_and_version(self, subject: Subject) -> None:
        name, version = subject.engine().describe.split()[:2]
        assert name
        assert version[0].isdigit()
