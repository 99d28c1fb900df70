"""An infrastructure change from request to report, on real Terraform."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from midas_devops.errors import ApprovalRefusedError, UsageError
from midas_devops.ports.bundle import RunEvent
from tests.graph.conftest import Open
from tests.projects import TERRAFORM, commit, write

NETWORK_ONLY = TERRAFORM[: TERRAFORM.index('resource "terraform_data" "database"')]
FAILS_HALF_WAY = (
    TERRAFORM
    + """
resource "terraform_data" "broken" {
  depends_on = [terraform_data.database]
  provisioner "local-exec" {
    command = "echo 'Error: InvalidParameterValue: the subnet does not exist'; exit 1"
  }
}
"""
)


def resources(root: Path) -> set[str]:
    state = root / "infra" / "terraform.tfstate"
    if not state.exists():
        return set()
    return {f"{r['type']}.{r['name']}" for r in json.loads(state.read_text())["resources"]}


BOTH = {"terraform_data.network", "terraform_data.database"}


def test_a_plan_changes_nothing(cloud: Path, open_agent: Open) -> None:
    run = open_agent(cloud).manage_infrastructure("plan", "infra")
    record = run.to_json()
    assert (run.status, record["plan"]["add"], record["effects"]) == ("succeeded", 2, [])
    assert resources(cloud) == set()


def test_an_apply_is_verified_and_its_repetition_does_nothing(cloud: Path, open_agent: Open) -> None:
    agent = open_agent(cloud)
    run = agent.manage_infrastructure("apply", "infra/main.tf")
    assert run.status == "succeeded"
    assert run.to_json()["outcome"]["outputs"] == {"url": "http://example.test"}
    assert resources(cloud) == BOTH
    again = agent.manage_infrastructure("apply", "infra")
    assert (again.status, again.to_json()["effects"]) == ("succeeded", [])


def test_a_create_only_plan_in_production_asks_too(guarded_cloud: Path, open_agent: Open) -> None:
    run = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    assert (run.status, resources(guarded_cloud)) == ("awaiting_approval", set())
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="first roll-out")
    assert (run.status, resources(guarded_cloud)) == ("succeeded", BOTH)


@pytest.fixture
def production(guarded_cloud: Path, open_agent: Open) -> Path:
    run = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="first roll-out")
    return guarded_cloud


def test_a_removed_block_is_caught_although_the_verb_is_apply(production: Path, open_agent: Open) -> None:
    write(production, {"infra/main.tf": NETWORK_ONLY})
    run = open_agent(production).manage_infrastructure("apply", "infra", requested_by="ben")
    record = run.to_json()
    assert run.status == "awaiting_approval"
    assert record["plan"]["protected"] == ["terraform_data.database"]
    assert "terraform_data.database" in record["pending"]["question"]
    assert resources(production) == BOTH


def test_destroying_everything_is_blocked_and_no_approval_helps(production: Path, open_agent: Open) -> None:
    run = open_agent(production).manage_infrastructure("destroy", "infra", requested_by="ben")
    assert (run.status, run.exit_code, run.pending) == ("blocked", 4, None)
    assert "allow_destroy" in run.to_json()["reason"]
    assert resources(production) == BOTH


def test_an_allowed_destroy_still_needs_the_environments_name(production: Path, open_agent: Open) -> None:
    toml = production / "midas.toml"
    toml.write_text(toml.read_text() + "\nallow_destroy = true\n")
    run = open_agent(production).manage_infrastructure("destroy", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    assert pending["kind"] == "confirm_destroy"
    for word in ("", "yes", "Cloud"):
        with pytest.raises(ApprovalRefusedError, match="--confirm cloud"):
            run.approve(pending["digest"], by="ana", reason="shut down", confirm=word)
    assert resources(production) == BOTH
    run.approve(pending["digest"], by="ana", reason="shut down", confirm="cloud")
    assert (run.status, resources(production)) == ("succeeded", set())


def test_a_permission_to_destroy_that_was_withdrawn_holds_no_more(production: Path, open_agent: Open) -> None:
    toml = production / "midas.toml"
    before = toml.read_text()
    toml.write_text(before + "\nallow_destroy = true\n")
    run = open_agent(production).manage_infrastructure("destroy", "infra", requested_by="ben")
    assert run.pending is not None
    digest = run.pending["digest"]
    toml.write_text(before)
    run = open_agent(production).run(run.id)
    run.approve(digest, by="ana", reason="shut down", confirm="cloud")
    assert (run.status, run.exit_code, resources(production)) == ("blocked", 4, BOTH)
    assert "rules changed" in run.to_json()["reason"]


def test_what_no_environment_names_is_production(cloud: Path, open_agent: Open) -> None:
    write(cloud, {"other/main.tf": TERRAFORM})
    run = open_agent(cloud).manage_infrastructure("apply", "other", requested_by="ben")
    assert (run.status, run.to_json()["environment"]) == ("awaiting_approval", "production")


def test_no_flag_makes_a_configuration_another_environments(production: Path, open_agent: Open) -> None:
    toml = production / "midas.toml"
    toml.write_text(toml.read_text() + '\n[environments.sandbox]\nkind = "development"\n')
    write(production, {"other/main.tf": TERRAFORM})
    agent = open_agent(production)
    for config in ("infra", "infra/main.tf", "other"):
        with pytest.raises(UsageError):
            agent.manage_infrastructure("apply", config, environment="sandbox")


@pytest.mark.parametrize(
    ("moved", "change"),
    [
        ("configuration", {"infra/main.tf": TERRAFORM + "\n# an uncommitted edit\n"}),
        ("configuration", {"infra/extra.auto.tfvars": ""}),
    ],
)
def test_an_edit_after_the_question_is_refused(
    guarded_cloud: Path, open_agent: Open, moved: str, change: dict[str, str]
) -> None:
    run = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    write(guarded_cloud, change)
    run.approve(pending["digest"], by="ana", reason="yes")
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert moved in run.to_json()["reason"]
    assert resources(guarded_cloud) == set()


def test_a_commit_after_the_question_is_refused(guarded_cloud: Path, open_agent: Open) -> None:
    run = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    commit(guarded_cloud, "something else")
    run.approve(pending["digest"], by="ana", reason="yes")
    assert run.status == "blocked"
    assert resources(guarded_cloud) == set()


def test_a_state_that_moved_after_the_question_is_refused(guarded_cloud: Path, open_agent: Open) -> None:
    first = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    second = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    one, two = first.pending, second.pending
    assert one is not None
    assert two is not None
    with pytest.raises(ApprovalRefusedError):
        second.approve(one["digest"] if one["digest"] != two["digest"] else "0", by="ana", reason="x")
    first.approve(one["digest"], by="ana", reason="yes")
    second.approve(two["digest"], by="ana", reason="yes")
    assert (first.status, second.status) == ("succeeded", "blocked")
    assert "state" in second.to_json()["reason"]


def test_a_plan_file_that_was_touched_is_refused(guarded_cloud: Path, open_agent: Open) -> None:
    agent = open_agent(guarded_cloud)
    run = agent.manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    sha256 = run.to_json()["artifacts"]["saved_plan"].removeprefix("artifact:")
    (plan_file,) = (guarded_cloud / ".midas").rglob(sha256)
    plan_file.chmod(0o600)
    plan_file.write_bytes(plan_file.read_bytes() + b"x")
    run.approve(pending["digest"], by="ana", reason="yes")
    assert run.status == "blocked"
    assert "plan changed" in run.to_json()["reason"]
    assert [effect["state"] for effect in run.to_json()["effects"]] == ["not_begun"]
    assert resources(guarded_cloud) == set()


def test_a_failed_apply_without_an_earlier_good_one_fails_and_says_so(cloud: Path, open_agent: Open) -> None:
    write(cloud, {"infra/main.tf": FAILS_HALF_WAY})
    commit(cloud, "broken")
    run = open_agent(cloud).manage_infrastructure("apply", "infra")
    record = run.to_json()
    assert (run.status, run.exit_code) == ("failed", 1)
    assert record["outcome"]["failed_addresses"] == ["terraform_data.broken"]
    assert "nothing to return to" in record["report"]["summary"]


def test_a_failed_apply_outside_production_returns_to_the_last_good_configuration(
    cloud: Path, open_agent: Open
) -> None:
    agent = open_agent(cloud)
    assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
    write(cloud, {"infra/main.tf": FAILS_HALF_WAY})
    commit(cloud, "broken")
    run = agent.manage_infrastructure("apply", "infra")
    assert (run.status, run.exit_code) == ("reverted", 5), run.to_json()["timeline"]
    assert resources(cloud) == BOTH
    assert "broken" in (cloud / "infra" / "main.tf").read_text()


def test_a_failed_apply_in_production_asks_before_it_reverts(production: Path, open_agent: Open) -> None:
    write(production, {"infra/main.tf": FAILS_HALF_WAY})
    commit(production, "broken")
    agent = open_agent(production)
    run = agent.manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="looks right")
    revert = run.pending
    assert revert is not None, run.to_json()["timeline"]
    assert (run.status, run.exit_code, revert["kind"]) == ("awaiting_approval", 3, "revert")
    assert resources(production) == BOTH | {"terraform_data.broken"}
    run.approve(revert["digest"], by="ana", reason="go back")
    assert (run.status, resources(production)) == ("reverted", BOTH)


def test_bad_requests_are_refused_before_anything_begins(cloud: Path, open_agent: Open) -> None:
    agent = open_agent(cloud)
    for action, config in (("obliterate", "infra"), ("apply", "nowhere"), ("apply", "../elsewhere")):
        with pytest.raises(UsageError):
            agent.manage_infrastructure(action, config)
    assert agent.runs() == []


def test_an_invalid_configuration_is_diagnosed_with_its_place(cloud: Path, open_agent: Open) -> None:
    write(cloud, {"infra/main.tf": TERRAFORM + '\noutput "x" {\n  value = terraform_data.missing.id\n}\n'})
    run = open_agent(cloud).manage_infrastructure("apply", "infra")
    record = run.to_json()
    assert (run.status, run.exit_code) == ("failed", 1)
    assert any("missing" in d["detail"] for d in record["outcome"]["diagnostics"]), record["outcome"]


def test_an_uncommitted_good_apply_is_never_reverted_to_something_older(
    cloud: Path, open_agent: Open
) -> None:
    agent = open_agent(cloud)
    assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
    extra = 'resource "terraform_data" "extra" {\n  input = "made from an uncommitted edit"\n}\n'
    write(cloud, {"infra/extra.tf": extra})
    assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
    write(cloud, {"infra/main.tf": FAILS_HALF_WAY})
    commit(cloud, "broken")
    run = agent.manage_infrastructure("apply", "infra")
    assert (run.status, run.exit_code) == ("failed", 1)
    assert resources(cloud) >= BOTH | {"terraform_data.extra"}


def test_only_what_takes_a_person_is_called_protected(cloud: Path, open_agent: Open) -> None:
    toml = cloud / "midas.toml"
    toml.write_text(toml.read_text() + '\nprotected = ["terraform_data.database"]\n')
    agent = open_agent(cloud)
    more = TERRAFORM + 'resource "terraform_data" "other" {\n}\n'
    write(cloud, {"infra/main.tf": more})
    agent.manage_infrastructure("apply", "infra")
    write(cloud, {"infra/main.tf": 'resource "terraform_data" "network" {\n  input = "10.0.0.0/16"\n}\n'})
    run = agent.manage_infrastructure("apply", "infra")
    assert run.status == "awaiting_approval"
    assert run.to_json()["plan"]["protected"] == ["terraform_data.database"]
    assert len(run.to_json()["plan"]["findings"]) == 2


@pytest.fixture
def spoiled(cloud: Path) -> Iterator[Callable[[str], DevOpsAgent]]:
    """Agents whose state somebody overwrites between the apply and the look at it."""
    with ExitStack() as stack:

        def open_spoiled(state: str) -> DevOpsAgent:
            def spoil(event: RunEvent) -> None:
                if (event.node, event.kind) == ("verify", "started"):
                    (cloud / "infra" / "terraform.tfstate").write_text(state)

            return stack.enter_context(DevOpsAgent.from_project(cloud, on_event=spoil))

        yield open_spoiled


@pytest.mark.parametrize(("state", "verdict"), [("garbage", "errored"), ("", "inconclusive")])
def test_a_verification_in_doubt_is_a_persons(
    spoiled: Callable[[str], DevOpsAgent], state: str, verdict: str
) -> None:
    run = spoiled(state).manage_infrastructure("apply", "infra")
    record = run.to_json()
    assert (run.status, run.exit_code) == ("awaiting_approval", 3), record["timeline"]
    assert record["verification"]["verdict"] == verdict
    assert (record["pending"]["kind"], verdict in record["pending"]["question"]) == ("escalation", True)
    assert "keep it as it is" in record["pending"]["question"]


def test_a_person_keeps_or_closes_what_is_in_doubt(spoiled: Callable[[str], DevOpsAgent]) -> None:
    agent = spoiled("garbage")
    run = agent.manage_infrastructure("apply", "infra")
    assert run.pending is not None
    run.approve(run.pending["digest"], by="ana", reason="looked myself")
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert "accepted by ana" in run.to_json()["report"]["summary"]


def test_a_person_can_close_it_as_failed(spoiled: Callable[[str], DevOpsAgent]) -> None:
    run = spoiled("garbage").manage_infrastructure("apply", "infra")
    run.reject(by="ana", reason="it is not there")
    assert (run.status, run.exit_code) == ("failed", 1)
