"""What an architect asked for, and what a team's policies say, beside a plan of the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.test_chat import server
from tests.graph.conftest import Open
from tests.graph.test_model import use_model
from tests.projects import commit, write

ASKED = """
[[resources]]
type = "terraform_data"
name = "network"
attributes = { input = "10.1.0.0/16" }
[[resources]]
type = "terraform_data"
name = "queue"
reason = "orders are written later"
"""
DENY_QUEUES = """package main
import rego.v1
deny contains msg if {
  some change in input.resource_changes
  change.name == "queue"
  msg := sprintf("%s is not wanted in %s", [change.address, data.midas.environment])
}
"""
QUEUE = '\nresource "terraform_data" "queue" {\n  input = "later"\n}\n'


def set_in_infrastructure(root: Path, line: str, rest: str = "") -> None:
    toml = root / "midas.toml"
    text = toml.read_text()
    assert 'config = "infra"' in text
    toml.write_text(text.replace('config = "infra"', f'config = "infra"\n{line}') + rest)


def test_a_plan_says_what_the_architect_asked_for_and_does_not_get(cloud: Path, open_agent: Open) -> None:
    write(cloud, {"requirements.toml": ASKED, "modules/queue/main.tf": QUEUE})
    set_in_infrastructure(cloud, 'requirements = "requirements.toml"')
    agent = open_agent(cloud)
    agent.knowledge.add(["modules"])
    plan = agent.manage_infrastructure("plan", "infra").to_json()["plan"]
    asked = plan["requirements"]
    assert (asked["asked"], asked["met"]) == (2, 0)
    assert [(gap["kind"], gap["name"], gap["attribute"]) for gap in asked["gaps"]] == [
        ("different", "network", "input"),
        ("missing", "queue", ""),
    ]
    assert "0 of 2 requirements met" in plan["summary"]
    assert any(place.startswith("modules/queue/main.tf:") for place in asked["modules"])

    main = (cloud / "infra" / "main.tf").read_text()
    write(cloud, {"infra/main.tf": main + QUEUE})
    asked = agent.manage_infrastructure("plan", "infra").to_json()["plan"]["requirements"]
    assert (asked["met"], [gap["name"] for gap in asked["gaps"]]) == (1, ["network"])


def test_an_architect_peer_is_heard_through_graph_state(cloud: Path, open_agent: Open) -> None:
    from midas_devops import build_graph

    agent = open_agent(cloud)
    graph = build_graph(agent.ports, agent.settings).compile()
    request = {
        "operation": "manage_infrastructure",
        "environment": "cloud",
        "action": "plan",
        "config": "infra",
        "requested_by": "architect",
    }
    asked = {"resources": [{"type": "terraform_data", "count": 3}]}
    state = graph.invoke({"request": request, "infrastructure_requirements": asked})
    (gap,) = agent.run(state["run_id"]).to_json()["plan"]["requirements"]["gaps"]
    assert (gap["kind"], gap["wanted"], gap["found"]) == ("too_few", "3", "2")


def test_requirements_that_cannot_be_understood_stop_the_plan(cloud: Path, open_agent: Open) -> None:
    write(cloud, {"requirements.toml": '[[resources]]\nkind = "terraform_data"\n'})
    set_in_infrastructure(cloud, 'requirements = "requirements.toml"')
    run = open_agent(cloud).manage_infrastructure("apply", "infra")
    assert run.status == "failed"
    assert "resources.0.type" in run.to_json()["reason"]
    assert not (cloud / "infra" / "terraform.tfstate").exists()


@pytest.fixture
def judged_cloud(guarded_cloud: Path) -> Path:
    pytest.importorskip("regopy", reason="needs regopy: pip install 'midas-devops[policies]'")
    write(guarded_cloud, {"policies/queues.rego": DENY_QUEUES})
    set_in_infrastructure(
        guarded_cloud,
        'gates = ["policies"]',
        '\n[gates.policies]\nkind = "rego"\npaths = ["policies/*.rego"]\n',
    )
    commit(guarded_cloud, "policies")
    return guarded_cloud


def test_a_policy_that_denies_blocks_before_anybody_is_asked(judged_cloud: Path, open_agent: Open) -> None:
    main = (judged_cloud / "infra" / "main.tf").read_text()
    write(judged_cloud, {"infra/main.tf": main + QUEUE})
    run = open_agent(judged_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    assert (run.status, run.pending) == ("blocked", None)
    assert "terraform_data.queue is not wanted in cloud" in run.to_json()["reason"]
    assert not (judged_cloud / "infra" / "terraform.tfstate").exists()


def test_an_approval_ends_with_the_policy_that_it_was_given_under(
    judged_cloud: Path, open_agent: Open
) -> None:
    agent = open_agent(judged_cloud)
    run = agent.manage_infrastructure("apply", "infra", requested_by="ben")
    pending = run.pending
    assert pending is not None
    write(judged_cloud, {"policies/queues.rego": DENY_QUEUES + "# reviewed\n"})
    run.approve(pending["digest"], by="ana", reason="first roll-out")
    assert (run.status, run.exit_code) == ("blocked", 4), run.to_json()["reason"]
    assert not (judged_cloud / "infra" / "terraform.tfstate").exists()


def test_infra_check_judges_anybodys_plan_by_the_same_policies(judged_cloud: Path, open_agent: Open) -> None:
    from midas_devops.interfaces.cli.main import run as command_line

    plan = {
        "format_version": "1.2",
        "planned_values": {},
        "resource_changes": [
            {
                "address": "terraform_data.queue",
                "type": "terraform_data",
                "name": "queue",
                "change": {"actions": ["create"]},
            }
        ],
    }
    (judged_cloud / "plan.json").write_text(json.dumps(plan))
    arguments = ["infra", "check", str(judged_cloud / "plan.json"), "--env", "cloud", "--json"]
    assert command_line(["--project", str(judged_cloud), *arguments]) == 4


WANTED_QUEUE = '[[resources]]\ntype = "terraform_data"\nname = "queue"\n'


def drafts(*files: tuple[str, str]) -> str:
    return json.dumps(
        {"files": [{"name": name, "text": text} for name, text in files], "reasons": ["a queue"]}
    )


@pytest.fixture
def asked_cloud(cloud: Path, open_agent: Open) -> Path:
    assert open_agent(cloud).manage_infrastructure("apply", "infra").status == "succeeded"
    write(cloud, {"requirements.toml": WANTED_QUEUE})
    set_in_infrastructure(cloud, 'requirements = "requirements.toml"')
    return cloud


def planned_with(root: Path, open_agent: Open, reply: str) -> tuple[dict[str, Any], list[str]]:
    """The plan with a model that replies so, and why a draft was dropped."""
    with server(lambda _: (200, reply)) as (url, _):
        use_model(root, url)
        agent = open_agent(root)
        run = agent.manage_infrastructure("plan", "infra")
    assert run.status == "succeeded"
    trail = agent.ports.ledger.audit_trail(run.id)
    return run.to_json()["plan"], [entry.data["why"] for entry in trail if entry.event == "draft dropped"]


def files_of(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "infra").iterdir() if path.is_file()}


def test_a_drafted_change_is_shown_as_a_patch_and_touches_nothing(
    asked_cloud: Path, open_agent: Open
) -> None:
    before = files_of(asked_cloud)
    plan, dropped = planned_with(
        asked_cloud,
        open_agent,
        drafts(("queue.tf", 'resource "terraform_data" "queue" {\n     input = "later"\n}\n')),
    )
    assert dropped == []
    draft = plan["draft"]
    assert (draft["gaps_closed"], draft["files"], draft["reasons"]) == (1, ["queue.tf"], ["a queue"])
    assert '+  input = "later"\n' in draft["text"], "formatted by the engine"
    assert (plan["add"], plan["destroy"]) == (0, 0), "the plan is that of the configuration as it stands"
    assert files_of(asked_cloud) == before


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([("main.tf", QUEUE)], "it would destroy terraform_data"),
        ([("queue.tf", 'resource "terraform_data" "other" {}\n')], "it closes no gap"),
        ([("queue.tf", 'resource "terraform_data" "queue" {\n  nonsense = 1\n}\n')], "validating the draft"),
        ([("queue.tf", 'data "external" "x" {\n  program = ["touch", "owned"]\n}\n')], "a block 'data'"),
        ([("queue.tf", 'resource "null_resource" "queue" {}\n')], "which nobody asked for"),
        ([("../queue.tf", QUEUE)], "a file name is not allowed"),
        (
            [("queue.tf", 'resource "terraform_data" "queue" {\n  input = file("/etc/passwd")\n}\n')],
            "reads files",
        ),
        (
            [("queue.tf", QUEUE.replace("}", 'provisioner "local-exec" {\ncommand = "touch owned"\n}\n}'))],
            "it has a provisioner",
        ),
    ],
)
def test_a_draft_that_is_not_safe_or_no_use_is_never_seen(
    asked_cloud: Path, open_agent: Open, files: list[tuple[str, str]], why: str
) -> None:
    plan, (dropped,) = planned_with(asked_cloud, open_agent, drafts(*files))
    assert plan["draft"] is None
    assert why in dropped
    assert not list(asked_cloud.rglob("owned"))
