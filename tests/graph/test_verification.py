"""What follows a look at a release: passed, failed, or nobody can tell. Real processes, real HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from tests.graph.conftest import Open
from tests.graph.controlled import Controlled, approved, runs_now

CHECKS = """
[environments.web.verify]
http = [{ path = "/", json = { version = "{version}" }, within = "1s" }]
"""
IN_DOUBT = """
[environments.web.verify]
command = ["python3", "check.py"]
"""
EXIT = "import sys; sys.exit({})\n"


@pytest.fixture
def web(tmp_path: Path, no_services_left: None) -> Controlled:
    return Controlled(tmp_path / "web")


def in_doubt(web: Controlled, open_agent: Open, status: int = 77) -> None:
    """v1 is verified; from now on the verifying command cannot tell."""
    web.version("v2")
    assert open_agent(web.root).deploy_release("web", "v1").status == "succeeded"
    web.configure(IN_DOUBT)
    (web.root / "check.py").write_text(EXIT.format(status))


def test_configured_checks_are_part_of_the_verdict(web: Controlled, open_agent: Open) -> None:
    web.configure(CHECKS)
    run = open_agent(web.root).deploy_release("web", "v1")
    checks = run.to_json()["verification"]["checks"]
    assert run.status == "succeeded"
    assert [line.split(":")[0] for line in checks] == ["passed", "passed", "passed"]
    assert any("http /" in line for line in checks)


def test_a_check_that_fails_rolls_back_and_blocks(web: Controlled, open_agent: Open) -> None:
    web.configure(CHECKS)
    web.version("v2")
    agent = open_agent(web.root)
    agent.deploy_release("web", "v1")
    web.tell("v2", body={"version": "unknown"})
    run = agent.deploy_release("web", "v2")
    record = run.to_json()
    assert (run.status, run.exit_code, runs_now(agent)) == ("rolled_back", 5, "v1"), record["timeline"]
    assert 'version = "unknown" instead of "v2"' in record["diagnosis"]["summary"]
    assert [each.version for each in agent.ports.ledger.blocked_versions("web")] == ["v2"]


def test_errors_in_the_log_roll_back(web: Controlled, open_agent: Open) -> None:
    web.configure('\n[environments.web.verify]\nlogs = { pattern = "ERROR", window = "50ms" }\n')
    web.version("v2")
    agent = open_agent(web.root)
    assert agent.deploy_release("web", "v1").status == "succeeded"
    web.tell("v2", log="ERROR no such column: total")
    run = agent.deploy_release("web", "v2")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v1"), run.to_json()["timeline"]
    assert any("no such column" in line for line in run.to_json()["diagnosis"]["summary"].splitlines())


@pytest.mark.parametrize(("status", "verdict"), [(77, "inconclusive"), (99, "errored")])
def test_what_nobody_can_tell_is_a_persons_to_decide(
    web: Controlled, open_agent: Open, status: int, verdict: str
) -> None:
    in_doubt(web, open_agent, status)
    agent = open_agent(web.root)
    run = agent.deploy_release("web", "v2")
    assert (run.status, run.exit_code, runs_now(agent)) == ("awaiting_approval", 3, "v2")
    assert run.to_json()["verification"]["verdict"] == verdict
    pending = run.pending
    assert pending is not None
    assert (pending["kind"], pending["choices"]) == ("escalation", {"approve": "keep", "reject": "rollback"})
    assert "roll back to v1" in pending["question"]
    assert agent.ports.ledger.deployments("web")[0].verified is None

    approved(run)
    record = run.to_json()
    assert (run.status, run.exit_code, runs_now(agent)) == ("succeeded", 0, "v2")
    assert "accepted by ana" in record["verification"]["summary"]
    assert agent.ports.ledger.deployments("web")[0].verified is True
    assert any(event["event"] == "verification accepted" for event in run.events())


def test_nobody_can_vouch_for_a_version_that_is_gone(web: Controlled, open_agent: Open) -> None:
    in_doubt(web, open_agent)
    agent = open_agent(web.root)
    run = agent.deploy_release("web", "v2")
    (web.root / "check.py").write_text(EXIT.format(0))
    assert agent.deploy_release("web", "v1").status == "succeeded"
    approved(run)
    assert (run.status, run.exit_code, runs_now(agent)) == ("blocked", 4, "v1")
    assert "v1 runs on web since this was asked" in run.to_json()["reason"]
    in_question = [each.verified for each in agent.ports.ledger.deployments("web") if each.version == "v2"]
    assert in_question == [None]


def test_a_person_who_says_no_gets_the_verified_version_back(web: Controlled, open_agent: Open) -> None:
    in_doubt(web, open_agent)
    agent = open_agent(web.root)
    run = agent.deploy_release("web", "v2")
    (web.root / "check.py").write_text(EXIT.format(0))
    run.reject(by="ana", reason="orders are lost")
    assert (run.status, run.exit_code, runs_now(agent)) == ("rolled_back", 5, "v1"), run.to_json()["timeline"]
    (blocked,) = agent.ports.ledger.blocked_versions("web")
    assert (blocked.version, "orders are lost" in blocked.reason) == ("v2", True)


def test_a_rollback_in_doubt_is_asked_about_once_more(web: Controlled, open_agent: Open) -> None:
    in_doubt(web, open_agent)
    agent = open_agent(web.root)
    run = agent.deploy_release("web", "v2").reject(by="ana", reason="no")
    assert (run.status, runs_now(agent)) == ("awaiting_approval", "v1")
    assert (run.pending or {})["choices"] == {"approve": "keep", "reject": "close"}
    approved(run)
    assert (run.status, run.exit_code) == ("rolled_back", 5)


def test_the_first_version_in_doubt_can_only_be_kept_or_closed(web: Controlled, open_agent: Open) -> None:
    web.configure(IN_DOUBT)
    (web.root / "check.py").write_text(EXIT.format(77))
    run = open_agent(web.root).deploy_release("web", "v1")
    assert (run.pending or {})["choices"] == {"approve": "keep", "reject": "close"}
    run.reject(by="ana", reason="no")
    assert (run.status, run.exit_code) == ("failed", 1)


def test_looking_again_can_take_the_verdict_back(web: Controlled, open_agent: Open) -> None:
    web.version("v2")
    agent = open_agent(web.root)
    for version in ("v1", "v2"):
        agent.deploy_release("web", version)
    web.tell("v2", status=500)
    run = agent.deploy_release("web", "v2")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v1"), run.to_json()["timeline"]
    verdicts = {d.version: d.verified for d in reversed(agent.ports.ledger.deployments("web"))}
    assert verdicts == {"v1": True, "v2": False}


def test_a_check_that_flaps_does_not_make_the_verdict_flap(web: Controlled, open_agent: Open) -> None:
    agent = open_agent(web.root)
    agent.deploy_release("web", "v1")
    before = agent.ports.ledger.deployments("web")
    web.tell("v1", flaps=True)
    run = agent.deploy_release("web", "v1")
    assert (run.status, run.exit_code) == ("awaiting_approval", 3), run.to_json()["timeline"]
    assert run.to_json()["verification"]["verdict"] == "inconclusive"
    assert "flaps" in (run.pending or {})["question"]
    assert agent.ports.ledger.deployments("web") == before
    web.tell("v1")
    again = agent.deploy_release("web", "v1")
    assert (again.status, agent.ports.ledger.deployments("web")) == ("succeeded", before)


def test_a_version_that_flaps_from_the_start_is_not_verified(web: Controlled, open_agent: Open) -> None:
    web.version("v2")
    agent = open_agent(web.root)
    agent.deploy_release("web", "v1")
    web.tell("v2", flaps=True)
    run = agent.deploy_release("web", "v2")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v1"), run.to_json()["timeline"]


def test_a_question_after_an_effect_that_expires_is_failed_not_blocked(
    web: Controlled, open_agent: Open
) -> None:
    in_doubt(web, open_agent)
    agent = open_agent(web.root)
    run = agent.deploy_release("web", "v2")
    pending = dict(run.pending or {})
    late = open_agent(web.root)
    tomorrow = replace(late.ports, clock=lambda: agent.ports.clock() + timedelta(days=2))
    with DevOpsAgent(web.root, late.settings, ports=tomorrow) as then:
        then.run(run.id).approve(pending["digest"], by="ana", reason="too late")
    assert (run.status, run.exit_code) == ("failed", 1)
