"""You approve a digest, not a title (rule 3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import ChangePlan, StateIdentity
from midas_devops.domain.digest import digest_of, digest_parts, moved_parts
from midas_devops.domain.gates import GateReport, GateResult, Verdict
from midas_devops.domain.runs import Operation

PLAN = ChangePlan(
    operation=Operation.MANAGE_INFRASTRUCTURE,
    environment="staging",
    commit="c" * 40,
    summary="1 to add",
    has_changes=True,
    config_sha256="f" * 64,
    saved_plan=ArtifactRef(sha256="a" * 64, name="tfplan", size=10, private=True),
    state=StateIdentity(lineage="line", serial=3),
)
GATES = GateReport(
    gates=(GateResult(name="tests", verdict=Verdict.PASSED, reason="10 passed", evidence_sha256="e" * 64),)
)


def digest(gates: GateReport = GATES, **changed: Any) -> str:
    return digest_of(digest_parts(PLAN.model_copy(update=changed), gates))


@pytest.mark.parametrize(
    "changed",
    [
        {"saved_plan": ArtifactRef(sha256="b" * 64, name="tfplan", size=10, private=True)},
        {"config_sha256": "0" * 64},
        {"commit": "d" * 40},
        {"environment": "production"},
        {"state": StateIdentity(lineage="line", serial=4)},
        {"state": StateIdentity(lineage="other", serial=3)},
        {"state": StateIdentity(lineage="line", serial=3, workspace="blue")},
        {"targets": ("aws_vpc.main",)},
        {"running": "d" * 40},
    ],
)
def test_every_part_changes_the_digest(changed: dict[str, Any]) -> None:
    assert digest(**changed) != digest()


@pytest.mark.parametrize(
    "changed", [{"verdict": Verdict.FAILED}, {"evidence_sha256": "0" * 64}, {"name": "t"}]
)
def test_every_gates_verdict_and_evidence_changes_the_digest(changed: dict[str, Any]) -> None:
    gate = GATES.gates[0].model_copy(update=changed)
    assert digest(GateReport(gates=(gate,))) != digest()
    assert digest(GateReport()) != digest()


def test_wording_does_not_change_the_digest() -> None:
    assert digest(summary="something else", notes=("advice",)) == digest()


def test_a_refusal_can_name_what_moved() -> None:
    before = digest_parts(PLAN, GATES)
    after = digest_parts(PLAN.model_copy(update={"commit": "d" * 40, "config_sha256": "1"}), GATES)
    assert moved_parts(before, after) == ["configuration", "commit"]
    assert moved_parts(before, before) == []


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
)
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert digest_of(value) == digest_of(dict(reversed(value.items())))
