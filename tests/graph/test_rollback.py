"""A rollback by hand: to what was verified there, asked for by the same rules, on real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from midas_devops import Run
from midas_devops.config import load_settings
from midas_devops.errors import ApprovalRefusedError, UsageError
from tests.graph.conftest import Open
from tests.graph.controlled import Controlled, approved, runs_now
from tests.graph.test_crashes import DRIVER, cut_off, die_at, services
from tests.projects import git

MOMENTS = [
    "before:begin",
    "after:begin",
    "before:rollback",
    "after:rollback",
    "before:finish_deployment",
    "before:complete",
    "after:complete",
    "before:block_version",
    "after:block_version",
    "before:set_verified",
    "after:set_verified",
]
QUICK = {"before:rollback", "after:rollback", "before:block_version", "before:set_verified"}
"""Those that leave the world in different shapes; the others run in the slow suite."""


@pytest.fixture
def web(tmp_path: Path, no_services_left: None) -> Controlled:
    return Controlled(tmp_path / "web")


@pytest.fixture
def two(web: Controlled, open_agent: Open) -> Controlled:
    """v1, then v2, both verified."""
    web.version("v2")
    agent = open_agent(web.root)
    for version in ("v1", "v2"):
        assert agent.deploy_release("web", version).status == "succeeded"
    return web


def test_it_returns_to_the_version_before_and_verifies_it(two: Controlled, open_agent: Open) -> None:
    agent = open_agent(two.root)
    run = agent.roll_back("web")
    record = run.to_json()
    assert (run.status, run.exit_code, runs_now(agent)) == ("succeeded", 0, "v1")
    assert [gate["name"] for gate in record["gates"]] == ["verified"]
    assert record["gates"][0]["age_seconds"] >= 0
    assert record["verification"]["verdict"] == "passed"
    assert agent.ports.ledger.blocked_versions("web") == []
    newest = agent.ports.ledger.deployments("web")[0]
    assert (newest.kind, newest.version, newest.verified) == ("rollback", "v1", True)


def test_a_reason_blocks_the_version_that_is_left(two: Controlled, open_agent: Open) -> None:
    agent = open_agent(two.root)
    assert agent.roll_back("web", reason="orders are lost").status == "succeeded"
    again = agent.deploy_release("web", "v2")
    assert (again.status, "orders are lost" in again.to_json()["reason"]) == ("blocked", True)
    agent.unblock("web", "v2", by="ana", reason="it was the database")
    assert agent.deploy_release("web", "v2").status == "succeeded"


def test_a_second_one_goes_further_back_and_then_there_is_nothing(two: Controlled, open_agent: Open) -> None:
    two.version("v3")
    agent = open_agent(two.root)
    agent.deploy_release("web", "v3")
    assert [agent.roll_back("web").status for _ in range(2)] == ["succeeded", "succeeded"]
    assert runs_now(agent) == "v1"
    last = agent.roll_back("web")
    assert (last.status, last.exit_code) == ("blocked", 4)
    assert "nothing to return to" in last.to_json()["reason"]
    assert runs_now(agent) == "v1"


def test_it_goes_to_a_named_version_only_when_that_was_verified_there(
    two: Controlled, open_agent: Open
) -> None:
    two.version("v3")
    agent = open_agent(two.root)
    never = agent.roll_back("web", to_version="v3")
    assert (never.status, never.exit_code, runs_now(agent)) == ("blocked", 4, "v2")
    assert "never verified" in never.to_json()["reason"]
    assert "v1" in never.to_json()["reason"]
    assert agent.roll_back("web", to_version="v1").status == "succeeded"
    assert runs_now(agent) == "v1"
    with pytest.raises(UsageError):
        agent.roll_back("web", to_version="v9")


def test_nothing_was_ever_verified(web: Controlled, open_agent: Open) -> None:
    run = open_agent(web.root).roll_back("web")
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert "nothing to return to" in run.to_json()["reason"]
    assert run.to_json()["effects"] == []


def test_returning_to_what_runs_looks_at_it_and_does_nothing(two: Controlled, open_agent: Open) -> None:
    run = open_agent(two.root).roll_back("web", to_version="v2")
    assert (run.status, run.to_json()["effects"]) == ("succeeded", [])


def test_gates_are_not_asked_again_and_production_asks_a_person(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = Controlled(tmp_path / "web", kind="production", approvals=1)
    web.version("v2")
    agent = open_agent(web.root)
    for version in ("v1", "v2"):
        approved(agent.deploy_release("web", version, requested_by="ben"))
    web.configure('\n[gates.ci]\nkind = "command"\nrun = ["false"]\n')
    toml = web.root / "midas.toml"
    toml.write_text(toml.read_text().replace("approvals = 1", 'approvals = 1\ngates = ["ci"]'))
    later = open_agent(web.root)
    waiting = later.roll_back("web", reason="slow", requested_by="ben")
    assert (waiting.status, waiting.exit_code, runs_now(later)) == ("awaiting_approval", 3, "v2")
    pending = waiting.pending
    assert pending is not None
    with pytest.raises(ApprovalRefusedError, match="may not approve"):
        waiting.approve(pending["digest"], by="Ben ", reason="I want it")
    assert (approved(waiting).status, runs_now(later)) == ("succeeded", "v1")


def test_the_digest_holds_the_reason_and_the_proof(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = Controlled(tmp_path / "web", kind="production", approvals=1)
    web.version("v2")
    agent = open_agent(web.root)
    for version in ("v1", "v2"):
        approved(agent.deploy_release("web", version, requested_by="ben"))
    digests = set()
    for reason in ("", "slow", "orders are lost"):
        run = agent.roll_back("web", reason=reason, requested_by="ben")
        digests.add((run.pending or {})["digest"])
    assert len(digests) == 3
    # Meanwhile v1 turns out to be bad: the answer does not count any more.
    first = next(d for d in agent.ports.ledger.deployments("web") if d.version == "v1")
    agent.ports.ledger.set_verified(first.deployment_id, False, agent.ports.clock())
    assert approved(run).status == "blocked"
    assert "gates" in run.to_json()["reason"]
    assert runs_now(agent) == "v2"


def test_one_that_fails_goes_to_a_person_now(two: Controlled, open_agent: Open) -> None:
    two.tell("v1", status=500)
    agent = open_agent(two.root)
    run = agent.roll_back("web", reason="slow")
    assert (run.status, run.exit_code) == ("awaiting_approval", 3), run.to_json()["timeline"]
    pending = run.pending
    assert pending is not None
    assert (pending["kind"], pending["choices"]) == ("escalation", {"approve": "rollback", "reject": "close"})
    assert runs_now(agent) == "v2"
    blocked = {each.version for each in agent.ports.ledger.blocked_versions("web")}
    assert blocked == {"v2"}
    two.tell("v1", status=200)
    approved(run)
    assert (run.status, run.exit_code, runs_now(agent)) == ("rolled_back", 5, "v1")


def test_one_that_fails_and_is_given_up_is_failed(two: Controlled, open_agent: Open) -> None:
    two.tell("v1", status=500)
    run = open_agent(two.root).roll_back("web")
    run.reject(by="ana", reason="I look at it myself")
    assert (run.status, run.exit_code) == ("failed", 1)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, marks=() if moment in QUICK else pytest.mark.slow, id=moment)
        for moment in MOMENTS
    ],
)
def test_one_that_was_killed_is_carried_on_once(two: Controlled, open_agent: Open, moment: str) -> None:
    die_at(two.root, moment, "roll_back", "web", "reason=orders are lost")
    run = cut_off(two.root, open_agent)
    run.resume()
    assert run.status == "succeeded", run.to_json()["timeline"]
    agent = open_agent(two.root)
    assert (runs_now(agent), len(services(two.root))) == ("v1", 1)
    assert [each.version for each in agent.ports.ledger.blocked_versions("web")] == ["v2"]
    done = [d for d in agent.ports.ledger.deployments("web") if d.kind == "rollback"]
    assert [(d.version, d.status, d.verified) for d in done] == [("v1", "succeeded", True)]
    assert [effect.state for effect in agent.ports.ledger.effects(run.id)] == ["done"]


def test_two_at_once_one_of_them_waits_its_turn_outside(two: Controlled, open_agent: Open) -> None:
    two.version("v3")
    command = [sys.executable, str(DRIVER), str(two.root), "never"]
    environment = {**os.environ, "PYTHONPATH": str(DRIVER.parents[2])}
    both = [
        subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
        for arguments in (("deploy_release", "web", "v3"), ("roll_back", "web"))
    ]
    ended = sorted(process.communicate(timeout=120)[0].split()[-1] for process in both)
    agent = open_agent(two.root)
    assert ended in (["blocked", "succeeded"], ["succeeded", "succeeded"])
    assert len(services(two.root)) == 1
    assert runs_now(agent) == agent.ports.ledger.deployments("web")[0].version


def test_a_question_that_is_answered_late_takes_nobody_elses_version_away(
    two: Controlled, open_agent: Open
) -> None:
    two.tell("v1", status=500)
    agent = open_agent(two.root)
    waiting = agent.roll_back("web")
    two.version("v3")
    assert agent.deploy_release("web", "v3").status == "succeeded"
    approved(waiting)
    assert (waiting.status, runs_now(agent)) == ("blocked", "v3")
    assert "somebody else" in waiting.to_json()["reason"]


def midas(root: Path, *words: str) -> tuple[int, dict[str, object]]:
    ended = subprocess.run(
        [sys.executable, "-m", "midas_devops", "--project", str(root), *words, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[2])},
    )
    return ended.returncode, json.loads(ended.stdout)


def test_the_command_line_has_it_too(two: Controlled) -> None:
    code, run = midas(two.root, "deploy", "web", "--rollback", "--reason", "orders are lost")
    assert (code, run["status"]) == (0, "succeeded")
    code, run = midas(two.root, "deploy", "web", "--rollback")
    assert (code, run["status"]) == (4, "blocked")
    assert midas(two.root, "deploy", "web", "v2")[0] == 4


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "web"),
        ("deploy", "web", "v1", "--rollback"),
        ("deploy", "web", "v1", "--to", "v1"),
        ("deploy", "web", "v1", "--reason", "because"),
        ("deploy", "nowhere", "--rollback"),
        ("deploy", "web", "--rollback", "--to", "v9"),
    ],
)
def test_words_that_do_not_fit_together_are_a_usage_error(web: Controlled, words: tuple[str, ...]) -> None:
    code, said = midas(web.root, *words)
    assert (code, "error" in said) == (2, True)


# what a person reads, and what is done


def steps(run: Run) -> list[str]:
    effects: list[str] = run.to_json()["plan"]["release"]["effects"]
    return effects


@pytest.fixture
def guarded(tmp_path: Path, no_services_left: None, open_agent: Open) -> Controlled:
    """v1, then v2, both verified; production asks one person."""
    web = Controlled(tmp_path / "web", kind="production", approvals=1)
    web.version("v2")
    agent = open_agent(web.root)
    for version in ("v1", "v2"):
        assert approved(agent.deploy_release("web", version, requested_by="ben")).status == "succeeded"
    return web


def test_its_plan_names_the_steps_of_that_deployer_in_order(guarded: Controlled, open_agent: Open) -> None:
    run = open_agent(guarded.root).roll_back("web", reason="orders are lost", requested_by="ben")
    port = load_settings(guarded.root / "midas.toml").environment("web").deploy.port
    first = git(guarded.root, "rev-parse", "v1")[:12]
    assert steps(run) == [
        f"take v1 from its kept folder ({first})",
        "start v1 as a candidate on a spare port and check its health",
        f"stop v2, which serves port {port}",
        f"start v1 on port {port} and check its health",
        "start v2 again if that is not healthy",
        "block the version that is left: orders are lost",
        "verify from outside: the commit that runs, and its health",
    ]


def test_other_steps_than_the_approved_ones_are_not_taken(guarded: Controlled, open_agent: Open) -> None:
    agent = open_agent(guarded.root)
    run = agent.roll_back("web", requested_by="ben")
    digest = (run.pending or {})["digest"]
    releases = guarded.root / ".midas" / "local" / "web" / "releases"
    # The kept folder of v1 goes: what was read says that it is taken, now it would be exported anew.
    releases.joinpath(git(guarded.root, "rev-parse", "v1") + ".done").unlink()
    assert approved(run).status == "blocked"
    assert "plan changed since" in run.to_json()["reason"]
    assert runs_now(agent) == "v2"
    fresh = agent.roll_back("web", requested_by="ben")
    assert (fresh.pending or {})["digest"] != digest
    assert steps(fresh)[0].startswith("export v1 (")
    assert (approved(fresh).status, runs_now(agent)) == ("succeeded", "v1")


DECIDED_BY_A_PERSON = '\n[environments.web.verify]\ncommand = ["python3", "check.py"]\n'


@pytest.fixture
def doubtful(two: Controlled) -> Controlled:
    """v3 is on its way; from now on the verifying command cannot tell."""
    two.version("v3")
    two.configure(DECIDED_BY_A_PERSON)
    (two.root / "check.py").write_text("import sys; sys.exit(77)\n")
    return two


def test_a_person_who_is_asked_in_a_run_reads_the_steps_too(doubtful: Controlled, open_agent: Open) -> None:
    agent = open_agent(doubtful.root)
    run = agent.deploy_release("web", "v3")
    pending = run.pending
    assert pending is not None
    assert pending["effects"][0].startswith("take v2 from its kept folder")
    assert any(line.startswith("stop v3, which serves port") for line in pending["effects"])
    assert run.to_json()["recovery"]["effects"] == pending["effects"]
    (doubtful.root / "check.py").write_text("")
    run.reject(by="ana", reason="orders are lost")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v2"), run.to_json()["timeline"]


def test_a_run_takes_no_other_steps_than_those_that_were_asked_about(
    doubtful: Controlled, open_agent: Open
) -> None:
    agent = open_agent(doubtful.root)
    run = agent.deploy_release("web", "v3")
    releases = doubtful.root / ".midas" / "local" / "web" / "releases"
    releases.joinpath(git(doubtful.root, "rev-parse", "v2") + ".done").unlink()
    run.reject(by="ana", reason="orders are lost")
    assert (run.status, runs_now(agent)) == ("blocked", "v3")
    reason = run.to_json()["reason"]
    assert "export v2" in reason
    assert agent.ports.ledger.blocked_versions("web") == []


def test_what_serves_already_by_then_is_left(doubtful: Controlled, open_agent: Open) -> None:
    agent = open_agent(doubtful.root)
    run = agent.deploy_release("web", "v3")
    (doubtful.root / "check.py").write_text("")
    assert agent.roll_back("web", to_version="v2").status == "succeeded"
    before = services(doubtful.root)
    run.reject(by="ana", reason="orders are lost")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v2"), run.to_json()["timeline"]
    assert services(doubtful.root) == before


def test_what_was_to_be_left_and_died_is_started_again(two: Controlled, open_agent: Open) -> None:
    two.version("v3")
    two.configure("rollback_on_failure = false\n")
    two.tell("v3", status=500)
    agent = open_agent(two.root)
    run = agent.deploy_release("web", "v3")
    assert ["leave v2" in line for line in (run.pending or {})["effects"]] == [True]
    for pid in services(two.root):
        psutil.Process(pid).kill()
    assert (approved(run).status, runs_now(agent)) == ("rolled_back", "v2"), run.to_json()["timeline"]


def test_the_question_says_what_the_verification_saw(two: Controlled, open_agent: Open) -> None:
    two.version("v3")
    two.configure('rollback_on_failure = false\n[environments.web.verify]\ncommand = ["false"]\n')
    pending = open_agent(two.root).deploy_release("web", "v3").pending
    assert pending is not None
    assert pending["question"].startswith("v3 serves web, but ")
    assert "exit status 1" in pending["question"]


def test_what_ended_by_itself_need_not_be_stopped(doubtful: Controlled, open_agent: Open) -> None:
    agent = open_agent(doubtful.root)
    run = agent.deploy_release("web", "v3")
    for pid in services(doubtful.root):
        psutil.Process(pid).kill()
    (doubtful.root / "check.py").write_text("")
    run.reject(by="ana", reason="it died")
    assert (run.status, runs_now(agent)) == ("rolled_back", "v2"), run.to_json()["timeline"]
