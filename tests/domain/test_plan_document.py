"""Reading ``terraform show -json`` of a plan, in every shape it comes in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.addresses import split_address, type_of
from midas_devops.domain.changes import ChangeCounts, GuardVerdict
from midas_devops.domain.guard import evaluate
from midas_devops.domain.plan_document import PlanDocument, read_plan
from midas_devops.errors import UnreadableError

CORPUS = Path(os.environ.get("MIDAS_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")) / "plans"
PLANS = sorted(CORPUS.glob("*.json"))
needs_corpus = pytest.mark.skipif(not PLANS, reason="set MIDAS_CORPUS to a folder with plans/*.json")
BY_NAME = [pytest.param(path, id=path.stem) for path in PLANS] or [pytest.param(None, marks=needs_corpus)]


def resource(address: str, *actions: str, **fields: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "change": {"actions": list(actions)}, **fields}


def plan(**fields: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "terraform_version": "1.15.2", "planned_values": {}, **fields}


def read(document: object) -> PlanDocument:
    return read_plan(json.dumps(document).encode())


def prior(*resources: dict[str, Any], **child: list[dict[str, Any]]) -> dict[str, Any]:
    children = [{"address": f"module.{name}", "resources": inner} for name, inner in child.items()]
    root = {"resources": list(resources), "child_modules": children}
    return {"format_version": "1.0", "values": {"root_module": root}}


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_every_unicode_encoding_of_json_is_read(self, encoding: str) -> None:
        text = json.dumps(plan(resource_changes=[resource('a.b["ключ🔑"]', "delete")]), ensure_ascii=False)
        document = read_plan(text.encode(encoding))
        assert document.changes[0].address == 'a.b["ключ🔑"]'

    def test_white_space_around_it_is_fine(self) -> None:
        assert read_plan(b"\n\t " + json.dumps(plan()).encode() + b"\r\n\n") == read(plan())


class TestChanges:
    def test_missing_changes_are_no_changes(self) -> None:
        for document in [plan(), plan(resource_changes=None), plan(resource_changes=[])]:
            assert read(document).changes == ()
            assert not read(document).has_changes

    def test_data_sources_and_idle_resources_are_left_out(self) -> None:
        changes = [
            resource("a.read", "read"),
            resource("a.same", "no-op"),
            resource("data.a.b", "delete", mode="data"),
            resource("a.new", "create"),
        ]
        assert [item.address for item in read(plan(resource_changes=changes)).changes] == ["a.new"]

    def test_drift_is_not_our_action(self) -> None:
        document = plan(resource_drift=[resource("aws_vpc.main", "delete")])
        assert read(document).changes == ()

    def test_a_move_destroys_nothing(self) -> None:
        moved = resource("a.new", "no-op", previous_address="a.old")
        document = read(plan(resource_changes=[moved]))
        assert document.changes == ()
        assert document.prior_addresses == ("a.new",)

    def test_deposed_objects_and_former_addresses_are_kept(self) -> None:
        changes = [resource("a.b", "delete", deposed="8a1b", previous_address="a.c", type="a")]
        item = read(plan(resource_changes=changes)).changes[0].as_value()
        assert (item.deposed, item.previous_address, item.type) == ("8a1b", "a.c", "a")

    @pytest.mark.parametrize("change", [None, {}, {"actions": None}, {"actions": []}])
    def test_a_change_without_actions_counts_as_one(self, change: object) -> None:
        document = read(plan(resource_changes=[{"address": "a.b", "change": change}]))
        assert [item.address for item in document.changes] == ["a.b"]
        assert document.counts.destroy == 1

    def test_counts_are_those_of_the_engine(self) -> None:
        kinds = ["create"], ["update"], ["delete"], ["delete", "create"], ["create", "delete"], ["forget"]
        changes = [resource(f"a.b[{n}]", *kind) for n, kind in enumerate([*kinds, ["create", "forget"]])]
        counts = read(plan(resource_changes=changes)).counts
        assert counts == ChangeCounts(add=1, change=1, destroy=1, replace=3, forget=1)

    @pytest.mark.parametrize(
        ("actions", "changed"), [(["no-op"], False), (["create"], True), (["what"], True), ([], True)]
    )
    def test_outputs_alone_are_changes_too(self, actions: list[str], changed: bool) -> None:
        document = read(plan(output_changes={"url": {"actions": actions}}))
        assert document.outputs_changed is changed
        assert document.has_changes is changed


class TestPriorState:
    def test_managed_resources_of_all_modules_are_named(self) -> None:
        state = prior(
            resource("aws_vpc.main"),
            resource("data.aws_ami.x", mode="data"),
            network=[resource("module.network.aws_eip.a[0]", index=0)],
        )
        assert set(read(plan(prior_state=state)).prior_addresses) == {
            "aws_vpc.main",
            "module.network.aws_eip.a[0]",
        }

    def test_addresses_of_old_formats_are_completed(self) -> None:
        state = prior(
            resource("a.b", index=1), net=[resource("a.c", index="x.y"), resource("module.net.a.d")]
        )
        assert set(read(plan(prior_state=state)).prior_addresses) == {
            "a.b[1]",
            'module.net.a.c["x.y"]',
            "module.net.a.d",
        }

    def test_what_the_changes_show_to_have_existed_is_added(self) -> None:
        changes = [resource("a.gone", "delete"), resource("a.same", "no-op"), resource("a.new", "create")]
        assert read(plan(resource_changes=changes)).prior_addresses == ("a.gone", "a.same")

    def test_a_partial_destroy_of_a_large_state_is_not_the_whole(self) -> None:
        state = prior(resource("a.b"), resource("a.c"))
        document = read(plan(prior_state=state, resource_changes=[resource("a.b", "delete")]))
        report = judged(document, production=False)
        assert not report.whole_environment


class TestUnreadable:
    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "empty"),
            (b" \n\t", "empty"),
            (b"\xff\xfe", "no complete JSON|UTF"),
            (b"\x80\x81\x82\x83", "UTF|JSON"),
            (b"{", "JSON"),
            (b"not json", "JSON"),
            (b"[]", "not a Terraform plan"),
            (b"[" * 100_000, "JSON|nested"),
            (b'{"format_version": 1}', "not a Terraform plan"),
            (b"{}", "format_version"),
            (b"null", "not a Terraform plan"),
            (b'"plan"', "not a Terraform plan"),
            (b'{"format_version":"1.2","resource_changes":{}}', "not a Terraform plan"),
            (b'{"format_version":"1.2","resource_changes":[{"mode":"managed"}]}', "address"),
            (
                b'{"format_version":"1.2","resource_changes":[{"address":"a.b","change":{"actions":"x"}}]}',
                "act",
            ),
            (b'{"format_version":"2.0","resource_changes":[]}', "format 2.0"),
            (b'{"format_version":"x","resource_changes":[]}', "format x"),
            (b'{"format_version":"1.0","terraform_version":"1.9","values":{}}', "state"),
            (b'{"version":4,"serial":1,"lineage":"x","resources":[]}', "state file"),
            (b"PK\x03\x04rest", "saved plan file"),
            (b'{"@level":"info","type":"version"}\n{"@level":"info","type":"x"}', "log stream"),
            (b'{"format_version":"1.2","planned_values":{},"errored":true}', "error"),
        ],
    )
    def test_it_says_what_it_was_given_and_what_to_do(self, data: bytes, said: str) -> None:
        with pytest.raises(UnreadableError, match=said) as caught:
            read_plan(data)
        assert caught.value.hint
        assert caught.value.exit_code == 2

    @given(st.binary(max_size=200))
    def test_garbage_is_never_a_crash_nor_a_plan(self, data: bytes) -> None:
        with pytest.raises(UnreadableError):
            read_plan(data)

    @given(st.data())
    def test_no_truncation_is_a_plan(self, data: st.DataObject) -> None:
        whole = json.dumps(plan(resource_changes=[resource("a.b", "delete")])).encode()
        with pytest.raises(UnreadableError):
            read_plan(whole[: data.draw(st.integers(0, len(whole) - 1))])


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("aws_vpc.main", "aws_vpc"),
            ('module.a["x.y"].aws_vpc.main[0]', "aws_vpc"),
            ('module.a["\\".module.b"].module.c[1].aws_eip.x["."]', "aws_eip"),
            ("", ""),
        ],
    )
    def test_type_of(self, address: str, expected: str) -> None:
        assert type_of(address) == expected

    def test_dots_in_keys_do_not_separate(self) -> None:
        assert split_address('a["x.y\\".z"].b') == ['a["x.y\\".z"]', "b"]


def judged(document: PlanDocument, *, production: bool = True) -> Any:
    return evaluate(
        document.changes,
        document.prior_addresses,
        production=production,
        protected=(),
        allow_destroy=False,
    )


@needs_corpus
class TestCorpus:
    def test_there_are_forty(self) -> None:
        assert len(PLANS) == 40

    @pytest.mark.parametrize("path", BY_NAME)
    def test_a_plan_that_only_creates_is_allowed_in_production(self, path: Path) -> None:
        document = read_plan(path.read_bytes())
        assert judged(document).verdict is GuardVerdict.ALLOWED
        assert judged(document).findings == ()

    @pytest.mark.parametrize("path", BY_NAME)
    def test_counts_are_those_of_the_raw_document(self, path: Path) -> None:
        raw = json.loads(path.read_bytes())
        actions = [item["change"]["actions"] for item in raw.get("resource_changes", [])]
        counts = read_plan(path.read_bytes()).counts
        assert counts.add == actions.count(["create"])
        assert counts.change == actions.count(["update"])
        assert counts.total == counts.add + counts.change

    @pytest.mark.parametrize("path", BY_NAME)
    @pytest.mark.parametrize(
        "actions",
        [["delete"], ["delete", "create"], ["create", "delete"], ["forget"], ["melt"]],
        ids="+".join,
    )
    def test_a_copy_in_which_one_resource_is_destroyed_is_caught(
        self, path: Path, actions: list[str]
    ) -> None:
        # The corpus only creates: the actions of one managed change in a copy are replaced here.
        raw = json.loads(path.read_bytes())
        target = next(item for item in raw["resource_changes"] if item["mode"] == "managed")
        target["change"]["actions"] = actions
        report = judged(read_plan(json.dumps(raw).encode()))
        assert [finding.address for finding in report.findings] == [target["address"]]
        assert report.verdict is not GuardVerdict.ALLOWED

    @pytest.mark.parametrize("path", BY_NAME)
    def test_a_copy_in_which_much_is_destroyed_is_read_as_a_walk_over_its_json_reads_it(
        self, path: Path
    ) -> None:
        """Every kind of change in turn over all resources of a real plan, deposed and moved ones too."""
        kinds = [
            ["delete"],
            ["no-op"],
            ["delete", "create"],
            ["update"],
            ["create", "delete"],
            ["read"],
            ["forget"],
            ["create"],
            ["melt"],
            [],
        ]
        raw = json.loads(path.read_bytes())
        for start in range(len(kinds)):
            for position, item in enumerate(raw["resource_changes"]):
                item["change"]["actions"] = kinds[(position + start) % len(kinds)]
                if position % 4 == 1:
                    item["previous_address"] = f"{item['address']}_before"
                item.pop("deposed", None)
                if position % 5 == 2:
                    item["deposed"] = "0123abcd"
            harmless = {"no-op", "read", "create", "update"}
            destroyed = set()
            for item in raw["resource_changes"]:
                actions = item["change"]["actions"]
                if item["mode"] == "managed" and not (actions and harmless.issuperset(actions)):
                    destroyed.add(item["address"])
            report = judged(read_plan(json.dumps(raw).encode()))
            assert {finding.address for finding in report.findings} == destroyed
            assert len(report.findings) == len(destroyed)
            assert (report.verdict is GuardVerdict.ALLOWED) == (not destroyed)

    @pytest.mark.parametrize("path", BY_NAME)
    def test_a_copy_in_which_all_goes_is_blocked(self, path: Path) -> None:
        raw = json.loads(path.read_bytes())
        managed = [item for item in raw["resource_changes"] if item["mode"] == "managed"]
        for item in managed:
            item["change"]["actions"] = ["delete"]
        report = judged(read_plan(json.dumps(raw).encode()), production=False)
        assert report.verdict is GuardVerdict.BLOCKED
        assert {finding.address for finding in report.findings} == {item["address"] for item in managed}


def test_a_document_that_names_no_change_is_a_plan_without_changes() -> None:
    """An empty state looks the same; it changes nothing either."""
    assert read_plan(b'{"format_version":"1.0"}').changes == ()
