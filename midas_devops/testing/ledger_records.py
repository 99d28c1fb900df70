"""What every ledger must do with runs, effects and the audit trail."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from midas_devops.errors import StorageError
from midas_devops.testing.ledger_values import DIGEST, NOW, OpenLedger, after, run_row


class RunsConformance:
    """Runs are stored once, updated, and found again."""

    def test_a_stored_run_comes_back_as_it_was(self, open_ledger: OpenLedger) -> None:
        row = run_row(record={"plan": {"digest": DIGEST}, "gates": [], "note": 'é "\n\0'})
        open_ledger().open_run(row)
        assert open_ledger().run(row.run_id) == row

    def test_opening_a_run_again_changes_nothing(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row())
        ledger.open_run(run_row(requested_by="somebody else", record={"a": 1}))
        assert ledger.run(run_row().run_id) == run_row()

    def test_saving_sets_status_record_and_end(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger(lambda: after(60))
        ledger.open_run(run_row())
        ledger.save_run(run_row().run_id, "succeeded", {"url": "x"}, ended=True)
        expected = run_row(status="succeeded", record={"url": "x"}, ended_at=after(60))
        assert ledger.run(run_row().run_id) == expected

    def test_a_run_that_waits_has_no_end(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row())
        ledger.save_run(run_row().run_id, "awaiting_approval", {}, ended=False)
        found = ledger.run(run_row().run_id)
        assert found is not None
        assert found.ended_at is None

    def test_saving_again_keeps_the_first_end(self, open_ledger: OpenLedger) -> None:
        open_ledger(lambda: after(1)).open_run(run_row())
        open_ledger(lambda: after(2)).save_run(run_row().run_id, "failed", {}, ended=True)
        open_ledger(lambda: after(9)).save_run(run_row().run_id, "failed", {"more": 1}, ended=True)
        found = open_ledger().run(run_row().run_id)
        assert found is not None
        assert found.ended_at == after(2)

    def test_saving_an_unknown_run_is_an_error(self, open_ledger: OpenLedger) -> None:
        with pytest.raises(StorageError, match="has no run nobody"):
            open_ledger().save_run("nobody", "failed", {}, ended=True)

    def test_a_unique_prefix_of_six_characters_finds_a_run(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row("abcdef-1"))
        ledger.open_run(run_row("abcxyz-1"))
        found = ledger.run("abcdef")
        assert found is not None
        assert found.run_id == "abcdef-1"

    @pytest.mark.parametrize("prefix", ["", "abc", "abcde", "abcdef", "%bcdef", "abcde_", "zzzzzz"])
    def test_a_short_or_ambiguous_prefix_or_a_pattern_finds_none(
        self, open_ledger: OpenLedger, prefix: str
    ) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row("abcdef-1"))
        ledger.open_run(run_row("abcdef-2"))
        assert ledger.run(prefix) is None

    def test_a_run_whose_id_begins_another_id_is_still_found(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row("abcdef"))
        ledger.open_run(run_row("abcdef-2"))
        found = ledger.run("abcdef")
        assert found is not None
        assert found.run_id == "abcdef"

    def test_runs_come_newest_first_even_when_the_clock_was_set_back(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        for number, seconds in enumerate([0, -3600, 5]):
            ledger.open_run(run_row(f"run-{number}", started_at=after(seconds)))
        assert [row.run_id for row in ledger.runs()] == ["run-2", "run-1", "run-0"]
        assert [row.run_id for row in ledger.runs(limit=1)] == ["run-2"]

    def test_runs_of_one_environment(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.open_run(run_row("run-1"))
        ledger.open_run(run_row("run-2", environment="production"))
        assert [row.run_id for row in ledger.runs(environment="production")] == ["run-2"]
        assert ledger.runs(environment="nowhere") == []

    def test_times_of_any_zone_come_back_as_the_same_moment_in_utc(self, open_ledger: OpenLedger) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        open_ledger().open_run(run_row(started_at=there))
        found = open_ledger().run(run_row().run_id)
        assert found is not None
        assert found.started_at == NOW
        assert found.started_at.utcoffset() == timedelta(0)


class EffectsConformance:
    """An intent is recorded once, a receipt once (rule 2)."""

    def test_only_the_first_to_begin_may_go_ahead(self, open_ledger: OpenLedger) -> None:
        assert open_ledger().begin("run-1", "k", "apply").state == "not_begun"
        assert open_ledger().begin("run-1", "k", "apply").state == "in_doubt"

    def test_a_receipt_is_given_back_instead_of_a_second_start(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.begin("run-1", "k", "apply")
        ledger.complete("k", {"serial": 4})
        again = open_ledger().begin("run-1", "k", "apply")
        assert (again.state, again.receipt) == ("done", {"serial": 4})

    def test_the_first_receipt_stays(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.begin("run-1", "k", "apply")
        ledger.complete("k", {"serial": 4})
        ledger.complete("k", {"serial": 5})
        assert ledger.effects("run-1")[0].receipt == {"serial": 4}

    def test_a_receipt_without_an_intent_is_an_error(self, open_ledger: OpenLedger) -> None:
        with pytest.raises(StorageError, match="no intent k"):
            open_ledger().complete("k", {})

    def test_effects_of_a_run_in_the_order_they_were_begun(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger(lambda: after(1))
        for key in ("z", "a", "m"):
            ledger.begin("run-1", key, f"do {key}")
        ledger.begin("run-2", "other", "do")
        ledger.complete("a", {})
        effects = ledger.effects("run-1")
        assert [(effect.key, effect.state) for effect in effects] == [
            ("z", "in_doubt"),
            ("a", "done"),
            ("m", "in_doubt"),
        ]
        assert [effect.ended_at for effect in effects] == [None, after(1), None]


class AuditConformance:
    """Everything is on record (rule 14)."""

    def test_entries_come_back_in_order_with_actor_rule_and_data(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger(lambda: NOW)
        ledger.audit("run-1", "ana", "requested", data={"version": "v1"})
        ledger.audit("run-2", "guard", "blocked", rule="4")
        ledger.audit("run-1", "ben", "approved", rule="3", data={"é": [1, None]})
        entries = list(open_ledger().audit_trail())
        assert [(entry.sequence, entry.event) for entry in entries] == [
            (1, "requested"),
            (2, "blocked"),
            (3, "approved"),
        ]
        assert entries[2].data == {"é": [1, None]}
        assert [entry.event for entry in open_ledger().audit_trail("run-1")] == ["requested", "approved"]
        assert (entries[1].actor, entries[1].rule, entries[1].at) == ("guard", "4", NOW)

    def test_entries_of_one_event_come_newest_first(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        for number, event in enumerate(["reported", "requested", "reported"]):
            ledger.audit("run-1", "ana", event, data={"n": number})
        assert [entry.data["n"] for entry in ledger.audited("reported")] == [2, 0]
        assert [entry.data["n"] for entry in ledger.audited("reported", limit=1)] == [2]

    def test_every_entry_chains_to_the_one_before(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        for number in range(3):
            ledger.audit("run-1", "ana", f"event {number}")
        first, second, third = ledger.audit_trail()
        assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
        assert len({first.hash, second.hash, third.hash}) == 3

    def test_a_chain_of_any_length_verifies(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        assert ledger.verify_audit() == 0
        ledger.audit("run-1", "ana", "a")
        ledger.audit("", "ana", "b")
        assert open_ledger().verify_audit() == 2
