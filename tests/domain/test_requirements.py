"""The gap between what an architect asked for and what a plan provides."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.planned_values import planned_resources
from midas_devops.domain.requirements import ProvidedResource, RequiredResource, compare
from midas_devops.errors import UnreadableError
from midas_devops.interfaces.wording import gap as sentence

CORPUS = Path(os.environ.get("MIDAS_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")) / "plans"
DATABASE = ProvidedResource(
    address="module.data.aws_db_instance.orders[0]",
    type="aws_db_instance",
    name="orders",
    values={
        "engine": "postgres",
        "allocated_storage": 50,
        "multi_az": False,
        "password": "hunter22",
        "tags": {"Owner": "payments", "app.kubernetes.io/name": "orders"},
        "ingress": [{"from_port": 443}, {"from_port": 5432}],
        "backup_window": None,
    },
    unknown={"endpoint": True},
    sensitive={"password": True},
)


def gaps(attributes: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    required = RequiredResource(type="aws_db_instance", attributes=attributes, **fields)
    report = compare([required], [DATABASE])
    assert report.met == (not report.gaps)
    return [gap.model_dump() for gap in report.gaps]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"engine": "postgres"},
        {"allocated_storage": 50},
        {"allocated_storage": "50"},
        {"allocated_storage": {"min": 20, "max": 100}},
        {"multi_az": False},
        {"multi_az": "false"},
        {"tags.Owner": "payments"},
        {"tags.app.kubernetes.io/name": "orders"},
        {"tags": {"Owner": "payments"}},
        {"ingress.from_port": 5432},
        {"ingress[1].from_port": 5432},
        {"ingress.1.from_port": {"one_of": [22, 5432]}},
        {"engine": {"matches": "^post"}},
        {"engine": {"contains": "gres"}},
        {"tags": {"contains": "payments"}},
        {"engine": {"not": "mysql"}},
        {"engine": {"present": True}},
        {"kms_key_id": {"present": False}},
        {"backup_window": {"present": False}},
        {"kms_key_id": {"not": "default"}},
    ],
)
def test_what_is_provided_is_no_gap(attributes: dict[str, Any]) -> None:
    assert gaps(attributes) == []


@pytest.mark.parametrize(
    ("attributes", "kind", "wanted", "found"),
    [
        ({"engine": "mysql"}, "different", "mysql", "postgres"),
        ({"multi_az": True}, "different", "true", "false"),
        ({"allocated_storage": {"min": 100}}, "different", "at least 100", "50"),
        ({"engine": {"max": 5}}, "different", "at most 5", "postgres"),
        ({"ingress.from_port": 22}, "different", "22", "443 or 5432"),
        ({"ingress[5].from_port": 22}, "not_set", "22", ""),
        ({"kms_key_id": "alias/db"}, "not_set", "alias/db", ""),
        ({"backup_window": "03:00-04:00"}, "not_set", "03:00-04:00", ""),
        ({"endpoint": "db.internal"}, "not_known", "db.internal", ""),
        ({"password": "other"}, "different", "other", "a sensitive value"),
        ({"engine": {"present": False}}, "different", "present: false", "postgres"),
    ],
)
def test_a_gap_names_the_attribute_what_is_wanted_and_what_is_there(
    attributes: dict[str, Any], kind: str, wanted: str, found: str
) -> None:
    (gap,) = gaps(attributes)
    assert (gap["kind"], gap["attribute"]) == (kind, next(iter(attributes)))
    assert (gap["wanted"], gap["found"]) == (wanted, found)
    assert gap["address"] == DATABASE.address
    assert DATABASE.address in sentence(gap)


def test_a_sensitive_value_is_never_in_a_gap() -> None:
    assert "hunter22" not in json.dumps(gaps({"password": {"matches": "x{9}"}}))


@pytest.mark.parametrize("name", ["orders", "module.data.*", "module.data.aws_db_instance.orders", "ord*"])
def test_a_name_may_be_a_glob_of_the_name_or_the_address(name: str) -> None:
    assert gaps({}, name=name) == []


def test_what_is_not_there_and_too_few_are_told_apart() -> None:
    (missing,) = gaps({}, name="billing", reason="invoices")
    (few,) = gaps({}, count=3)
    assert (missing["kind"], sentence(missing)) == (
        "missing",
        "aws_db_instance billing is not there (invoices)",
    )
    assert (few["kind"], few["wanted"], few["found"]) == ("too_few", "3", "1")


def test_of_several_resources_the_nearest_is_named() -> None:
    other = DATABASE.model_copy(update={"address": "aws_db_instance.b", "values": {"engine": "mysql"}})
    required = RequiredResource(type="aws_db_instance", attributes={"engine": "postgres", "multi_az": True})
    report = compare([required], [other, DATABASE])
    assert [gap.address for gap in report.gaps] == [DATABASE.address]


scalars = st.one_of(st.booleans(), st.integers(-99, 99), st.text("ab:_-", max_size=5))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), scalars, max_size=5))
def test_asking_for_exactly_what_is_there_is_always_met(values: dict[str, Any]) -> None:
    provided = ProvidedResource(address="t.n", type="t", name="n", values=values)
    report = compare([RequiredResource(type="t", name="n", attributes=values)], [provided])
    assert (report.asked, report.met, report.gaps) == (1, 1, ())


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), scalars, min_size=1, max_size=5))
def test_nothing_is_met_by_an_empty_plan(values: dict[str, Any]) -> None:
    assert compare([RequiredResource(type="t", attributes=values)], []).met == 0


def test_every_real_plan_provides_what_it_plans() -> None:
    plans = sorted(CORPUS.glob("*.json"))
    if not plans:
        pytest.skip("set MIDAS_CORPUS to a folder with plans/*.json")
    seen = 0
    for path in plans:
        provided = planned_resources(path.read_bytes())
        required = [RequiredResource(type=one.type, name=one.address) for one in provided]
        assert compare(required, provided).met == len(required), path.name
        seen += len(provided)
    assert seen > 100


@pytest.mark.parametrize("data", [b"{}", b"[]", b"not json", b'{"planned_values": 3}'])
def test_a_document_without_planned_values_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        planned_resources(data)
