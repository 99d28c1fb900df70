"""The destruction guard (rule 4): every destroyed address is named once, and asked for where it must be."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.addresses import matches
from midas_devops.domain.changes import Finding, GuardReport, GuardVerdict, ResourceChange
from midas_devops.domain.guard import evaluate
from midas_devops.domain.plan_document import object_name
from midas_devops.domain.stateful_types import stateful_kind

DESTRUCTIVE = [
    ("delete",),
    ("delete", "create"),
    ("create", "delete"),
    ("forget",),
    ("create", "forget"),
    ("obliterate",),
    ("update", "obliterate"),
    (),
]
HARMLESS = [("create",), ("update",)]


def change(
    address: str, *actions: str, kind: str = "", deposed: str = "", previous: str = ""
) -> ResourceChange:
    return ResourceChange(
        address=address, type=kind, actions=actions, deposed=deposed, previous_address=previous
    )


def judge(
    changes: Sequence[ResourceChange],
    prior: Sequence[str] = ("aws_vpc.main",),
    *,
    production: bool = False,
    protected: Sequence[str] = (),
    allow_destroy: bool = False,
) -> GuardReport:
    return evaluate(changes, prior, production=production, protected=protected, allow_destroy=allow_destroy)


class TestFindings:
    @pytest.mark.parametrize("actions", DESTRUCTIVE, ids="+".join)
    def test_every_way_to_destroy_is_found_and_asked_for_in_production(
        self, actions: tuple[str, ...]
    ) -> None:
        report = judge([change("aws_instance.web", *actions)], production=True)
        assert [finding.address for finding in report.findings] == ["aws_instance.web"]
        assert report.verdict is GuardVerdict.NEEDS_APPROVAL

    @pytest.mark.parametrize("actions", DESTRUCTIVE, ids="+".join)
    def test_elsewhere_they_are_named_and_allowed(self, actions: tuple[str, ...]) -> None:
        report = judge([change("aws_instance.web", *actions)])
        assert [finding.address for finding in report.findings] == ["aws_instance.web"]
        assert report.verdict is GuardVerdict.ALLOWED

    @pytest.mark.parametrize("actions", HARMLESS, ids="+".join)
    def test_what_destroys_nothing_is_no_finding(self, actions: tuple[str, ...]) -> None:
        report = judge([change("aws_instance.web", *actions)], production=True)
        assert report == GuardReport()

    def test_an_address_is_named_once_whatever_happens_to_its_objects(self) -> None:
        report = judge(
            [
                change("aws_instance.web", "delete", "create"),
                change("aws_instance.web", "delete", deposed="8a1b2c3d"),
                change("aws_instance.web", "delete", deposed="00000001"),
            ],
            production=True,
        )
        assert [finding.address for finding in report.findings] == ["aws_instance.web"]
        assert report.findings[0].actions == ("delete", "create")

    def test_a_deposed_object_is_named_as_such(self) -> None:
        report = judge([change("aws_instance.web", "delete", deposed="8a1b2c3d")], production=True)
        assert "deposed" in report.findings[0].reason
        assert not report.whole_environment

    @pytest.mark.parametrize(
        ("finding", "rule", "said"),
        [
            (change("aws_db_instance.main", "delete"), "stateful_type", "database"),
            (change("module.a[0].module.b.aws_s3_bucket.x", "delete"), "stateful_type", "object store"),
            (change("aws_instance.web", "delete"), "production", "deleted"),
            (change("aws_instance.web", "delete", "create"), "production", "destroyed first"),
            (change("aws_instance.web", "create", "delete"), "production", "after its successor"),
            (change("aws_instance.web", "forget"), "production", "forgotten"),
            (change("aws_kms_key.k", "obliterate"), "unknown_action", "obliterate"),
            (change("aws_instance.web"), "unknown_action", "does not say"),
            (change("aws_instance.guarded", "delete"), "protected_list", "aws_instance.guarded"),
        ],
        ids=lambda value: value.address if isinstance(value, ResourceChange) else "",
    )
    def test_the_rule_and_its_reason_are_told(self, finding: ResourceChange, rule: str, said: str) -> None:
        report = judge([finding], production=True, protected=["aws_instance.guarded"])
        assert report.findings[0].rule == rule
        assert said in report.findings[0].reason

    def test_findings_are_plain_values(self) -> None:
        report = judge([change("aws_db_instance.a", "delete", kind="aws_db_instance")])
        finding = report.findings[0]
        assert finding == Finding.model_validate(finding.model_dump())
        assert GuardReport.model_validate_json(report.model_dump_json()) == report


class TestProtectedList:
    def test_outside_production_only_listed_addresses_are_asked_for(self) -> None:
        changes = [change("aws_vpc.main", "delete"), change("aws_instance.web", "delete")]
        prior = ["aws_vpc.main", "aws_instance.web", "aws_eip.x"]
        assert judge(changes, prior, protected=["aws_db_instance.*"]).verdict is GuardVerdict.ALLOWED
        report = judge(changes, prior, protected=["aws_vpc.*"])
        assert report.verdict is GuardVerdict.NEEDS_APPROVAL
        assert [finding.rule for finding in report.findings] == ["protected_list", "destroyed"]

    def test_the_former_address_of_a_moved_resource_still_protects_it(self) -> None:
        moved = change("aws_vpc.new", "delete", "create", previous="aws_vpc.old")
        report = judge([moved], ["aws_vpc.new", "aws_eip.x"], protected=["aws_vpc.old"])
        assert report.verdict is GuardVerdict.NEEDS_APPROVAL

    @pytest.mark.parametrize(
        ("pattern", "address"),
        [
            ("aws_db_instance.*", "aws_db_instance.main"),
            ("aws_db_instance.*", 'aws_db_instance.main["a.b"]'),
            ("aws_db_instance", "aws_db_instance.main[0]"),
            ("aws_s3_bucket.logs", "aws_s3_bucket.logs"),
            ("aws_s3_bucket.logs", "aws_s3_bucket.logs[0]"),
            ("aws_s3_bucket.logs", 'aws_s3_bucket.logs["x"]'),
            ("aws_s3_bucket.logs", 'aws_s3_bucket.logs["a].b\\"c"]'),
            ('aws_s3_bucket.logs["x"]', 'aws_s3_bucket.logs["x"]'),
            ('aws_s3_bucket.logs["a.*"]', 'aws_s3_bucket.logs["a.b"]'),
            ("aws_s3_bucket.logs[0]", "aws_s3_bucket.logs[0]"),
            ("module.network.*", "module.network.aws_vpc.main"),
            ("module.network.*", "module.network.module.inner[0].aws_vpc.main"),
            ("module.network.*", 'module.network["eu-1"].aws_vpc.main'),
            ("module.network", "module.network[3].aws_vpc.main"),
            ("module.network[1].*", "module.network[1].aws_vpc.main"),
            ("*.aws_db_instance.*", "module.a.module.b[0].aws_db_instance.main"),
            ("aws_db_instance.*", "module.a.aws_db_instance.main"),
            ("aws_db_instance.main", 'module.a["eu"].module.b.aws_db_instance.main[0]'),
            ("*", 'module.x["\n"].aws_vpc.main'),
            ("  aws_vpc.main  ", "aws_vpc.main"),
        ],
    )
    def test_pattern_covers(self, pattern: str, address: str) -> None:
        assert matches(address, pattern)

    @pytest.mark.parametrize(
        ("pattern", "address"),
        [
            ("aws_s3_bucket.logs", "aws_s3_bucket.logs_archive"),
            ("aws_s3_bucket.logs", "aws_s3_bucket.log"),
            ("aws_s3_bucket.logs[0]", "aws_s3_bucket.logs[1]"),
            ("aws_s3_bucket.logs[0]", "aws_s3_bucket.logs0"),
            ("aws_s3_bucket.logs[ab]", "aws_s3_bucket.logsa"),
            ('aws_s3_bucket.logs["x"]', 'aws_s3_bucket.logs["xy"]'),
            ("module.network.*", "module.networking.aws_vpc.main"),
            ("module.network[1].*", "module.network[2].aws_vpc.main"),
            ("aws_db_instance.*", "aws_db_instance_role_association.main"),
            ("module.a.*", "module.b.module.a.aws_vpc.main"),
            ("AWS_vpc.main", "aws_vpc.main"),
            ("", "aws_vpc.main"),
            ("   ", "aws_vpc.main"),
        ],
    )
    def test_pattern_does_not_cover(self, pattern: str, address: str) -> None:
        assert not matches(address, pattern)


class TestWholeEnvironment:
    PRIOR = ("aws_vpc.main", "aws_db_instance.main", "module.a.aws_eip.x[0]")

    def gone(self, *actions: str) -> list[ResourceChange]:
        return [change(address, *(actions or ("delete",))) for address in self.PRIOR]

    @pytest.mark.parametrize("production", [True, False])
    def test_it_is_blocked_everywhere_unless_allowed(self, production: bool) -> None:
        report = judge(self.gone(), self.PRIOR, production=production)
        assert report.verdict is GuardVerdict.BLOCKED
        assert report.whole_environment
        assert len(report.findings) == 3

    @pytest.mark.parametrize("production", [True, False])
    def test_where_it_is_allowed_a_person_is_asked(self, production: bool) -> None:
        report = judge(self.gone(), self.PRIOR, production=production, allow_destroy=True)
        assert report.verdict is GuardVerdict.NEEDS_APPROVAL
        assert report.whole_environment

    def test_forgetting_everything_is_the_same(self) -> None:
        mixed = [*self.gone()[:1], *self.gone("forget")[1:]]
        assert judge(mixed, self.PRIOR).verdict is GuardVerdict.BLOCKED

    def test_one_that_stays_makes_it_a_part(self) -> None:
        report = judge(self.gone()[1:], self.PRIOR, production=True)
        assert not report.whole_environment
        assert report.verdict is GuardVerdict.NEEDS_APPROVAL

    def test_one_that_is_updated_or_replaced_stays(self) -> None:
        for actions in [("update",), ("delete", "create"), ("create", "delete")]:
            changes = [*self.gone()[1:], change("aws_vpc.main", *actions)]
            assert not judge(changes, self.PRIOR).whole_environment

    def test_new_resources_do_not_make_up_for_it(self) -> None:
        changes = [*self.gone(), change("aws_instance.new", "create")]
        assert judge(changes, self.PRIOR).verdict is GuardVerdict.BLOCKED

    def test_an_empty_environment_cannot_be_destroyed(self) -> None:
        assert judge([], []) == GuardReport()
        assert judge([change("aws_vpc.main", "create")], []) == GuardReport()

    def test_without_a_prior_state_the_changes_say_what_was_there(self) -> None:
        assert judge(self.gone(), []).verdict is GuardVerdict.BLOCKED
        assert not judge([*self.gone(), change("aws_eip.y", "update")], []).whole_environment

    def test_a_deposed_object_that_goes_leaves_the_current_one(self) -> None:
        deposed = change("aws_vpc.main", "delete", deposed="8a1b2c3d")
        prior = ["aws_vpc.main", object_name("aws_vpc.main", "8a1b2c3d")]
        assert not judge([deposed], prior).whole_environment
        assert judge([deposed, change("aws_vpc.main", "delete")], prior).whole_environment

    def test_an_unknown_action_on_everything_counts_as_the_end(self) -> None:
        assert judge(self.gone("obliterate"), self.PRIOR).verdict is GuardVerdict.BLOCKED


KEYS = st.one_of(st.none(), st.integers(-5, 5), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


@st.composite
def addresses(draw: st.DrawFn) -> str:
    def key() -> str:
        value = draw(KEYS)
        return "" if value is None else f"[{json.dumps(value, ensure_ascii=False)}]"

    modules = "".join(f"module.{name}{key()}." for name in draw(st.lists(st.sampled_from("abc"), max_size=2)))
    kind = draw(st.sampled_from(["aws_vpc", "aws_db_instance", "x"]))
    return f"{modules}{kind}.{draw(st.sampled_from(['main', 'a_b', 'c-d']))}{key()}"


@st.composite
def plans(draw: st.DrawFn) -> list[ResourceChange]:
    known = st.sampled_from([*DESTRUCTIVE, *HARMLESS, ("no-op",), ("read",)])
    wild = st.lists(st.text(max_size=6), max_size=3).map(tuple)
    some = draw(
        st.lists(
            st.builds(
                ResourceChange,
                address=addresses(),
                type=st.sampled_from(["", "aws_db_instance", "aws_vpc"]),
                actions=st.one_of(known, wild),
                deposed=st.sampled_from(["", "", "8a1b2c3d"]),
            ),
            max_size=12,
        )
    )
    doubled = some + draw(st.lists(st.sampled_from(some), max_size=3)) if some else some
    return draw(st.permutations(doubled))


def is_harmless(actions: tuple[str, ...]) -> bool:
    return bool(actions) and set(actions) <= {"no-op", "read", "create", "update"}


class TestWhateverThePlan:
    @given(plans(), st.lists(addresses(), max_size=5), st.booleans())
    def test_in_production_nothing_destructive_is_ever_allowed(
        self, changes: list[ResourceChange], prior: list[str], allow_destroy: bool
    ) -> None:
        report = judge(changes, prior, production=True, allow_destroy=allow_destroy)
        destroyed = {item.address for item in changes if not is_harmless(item.actions)}
        named = [finding.address for finding in report.findings]
        assert set(named) == destroyed
        assert len(named) == len(set(named))
        assert (report.verdict is GuardVerdict.ALLOWED) == (not destroyed)

    @given(plans(), st.lists(addresses(), max_size=5), st.randoms())
    def test_order_and_duplicates_do_not_matter(
        self, changes: list[ResourceChange], prior: list[str], random: object
    ) -> None:
        doubled = [*changes, *changes]
        random.shuffle(doubled)  # type: ignore[attr-defined]
        first = judge(changes, prior, production=True)
        second = judge(doubled, [*prior, *prior], production=True)
        assert first.verdict == second.verdict
        assert first.whole_environment == second.whole_environment
        assert {item.address for item in first.findings} == {item.address for item in second.findings}

    @given(plans(), st.lists(addresses(), max_size=5))
    def test_a_plan_is_never_allowed_more_in_production(
        self, changes: list[ResourceChange], prior: list[str]
    ) -> None:
        order = [GuardVerdict.ALLOWED, GuardVerdict.NEEDS_APPROVAL, GuardVerdict.BLOCKED]
        elsewhere = order.index(judge(changes, prior).verdict)
        assert order.index(judge(changes, prior, production=True).verdict) >= elsewhere

    @given(plans(), st.lists(addresses(), max_size=5), addresses())
    def test_listing_an_address_never_lets_more_through(
        self, changes: list[ResourceChange], prior: list[str], listed: str
    ) -> None:
        without = judge(changes, prior)
        listing = judge(changes, prior, protected=[listed])
        destroyed = {finding.address for finding in listing.findings}
        if listed in destroyed and not any(character in listed for character in "*?"):
            assert listing.verdict is not GuardVerdict.ALLOWED
        if without.verdict is GuardVerdict.BLOCKED:
            assert listing.verdict is GuardVerdict.BLOCKED

    @given(addresses())
    def test_every_address_matches_itself_and_everything(self, address: str) -> None:
        assert matches(address, "*")
        if address == address.strip():
            assert matches(address, address)


class TestStatefulTypes:
    @pytest.mark.parametrize(
        ("resource_type", "kind"),
        [
            ("aws_db_instance", "database"),
            ("google_sql_database_instance", "database"),
            ("azurerm_storage_account", "object store"),
            ("kubernetes_persistent_volume_claim", "disk"),
            ("cloudflare_r2_bucket", "object store"),
            ("aws_kms_key", "key"),
            ("aws_route53_zone", "DNS zone or name"),
            ("aws_sqs_queue", "queue or stream"),
            ("aws_instance", ""),
            ("", ""),
        ],
    )
    def test_known_types(self, resource_type: str, kind: str) -> None:
        assert stateful_kind(resource_type) == kind
