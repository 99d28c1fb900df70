"""Kill the process before and after each effect, resume in a new one, and count the effects (rule 2)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from midas_devops import DevOpsAgent, Run
from midas_devops.config import load_settings
from tests.graph.conftest import Open
from tests.projects import TERRAFORM, commit, write

DRIVER = Path(__file__).with_name("driver.py")

DEPLOY_MOMENTS = [
    "before:begin",
    "after:begin",
    "before:deploy",
    "after:deploy",
    "before:complete",
    "after:complete",
    "before:set_verified",
    "after:set_verified",
]
APPLY_MOMENTS = [
    "before:begin",
    "after:begin",
    "before:apply",
    "after:apply",
    "before:complete",
    "after:complete",
]
APPROVAL_MOMENTS = ["before:consume_approvals", "after:consume_approvals", "after:begin", "before:complete"]


def die_at(root: Path, moment: str, *arguments: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(DRIVER), str(root), moment, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[2])},
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def cut_off(root: Path, open_agent: Open) -> Run:
    agent = open_agent(root)
    run = agent.run(agent.runs()[0]["run_id"])
    assert run.status == "interrupted"
    return run


def services(root: Path) -> list[int]:
    """Service processes that run below this project's releases."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if str(root) in (process.info["cwd"] or "") and "app.py" in " ".join(process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.mark.parametrize("moment", DEPLOY_MOMENTS)
def test_a_deployment_that_was_killed_is_carried_on_once(
    service: Path, open_agent: Open, moment: str
) -> None:
    die_at(service, moment, "deploy_release", "web", "v1")
    run = cut_off(service, open_agent)
    states = {effect["state"] for effect in run.to_json()["effects"]}
    assert states <= {"in_doubt", "done", "not_begun"}
    assert states
    run.resume()
    assert run.status == "succeeded", run.to_json()["timeline"]
    assert len(services(service)) == 1
    ledger = open_agent(service).ports.ledger
    assert [d.verified for d in ledger.deployments("web")] == [True]
    assert [effect.state for effect in ledger.effects(run.id)] == ["done"]


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, marks=() if moment.endswith(":deploy") else pytest.mark.slow)
        for moment in DEPLOY_MOMENTS
        if "verified" not in moment
    ],
)
def test_a_bad_deployment_that_was_killed_ends_with_the_good_version(
    service: Path, open_agent: Open, moment: str
) -> None:
    open_agent(service).deploy_release("web", "v1")
    write(service, {"VERSION": "sick-one"})
    commit(service, "sick", "v2")
    die_at(service, moment, "deploy_release", "web", "v2")
    run = cut_off(service, open_agent)
    run.resume()
    assert run.status == "rolled_back", run.to_json()["timeline"]
    assert len(services(service)) == 1


@pytest.mark.parametrize("moment", APPLY_MOMENTS)
def test_an_apply_that_was_killed_creates_nothing_twice(cloud: Path, open_agent: Open, moment: str) -> None:
    counted = TERRAFORM.replace(
        'resource "terraform_data" "network" {',
        'resource "terraform_data" "network" {\n  provisioner "local-exec" {\n'
        '    command = "echo made >> made.txt"\n  }',
    )
    write(cloud, {"infra/main.tf": counted})
    commit(cloud, "counted")
    die_at(cloud, moment, "manage_infrastructure", "apply", "infra")
    run = cut_off(cloud, open_agent)
    run.resume()
    assert run.status == "succeeded", run.to_json()["timeline"]
    assert (cloud / "infra" / "made.txt").read_text().split() == ["made"]


@pytest.mark.parametrize("moment", APPROVAL_MOMENTS)
def test_an_approval_holds_for_the_effect_it_was_taken_for(
    guarded_cloud: Path, open_agent: Open, moment: str
) -> None:
    waiting = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    pending = waiting.pending
    assert pending is not None
    die_at(guarded_cloud, moment, "approve", waiting.id, pending["digest"])
    run = cut_off(guarded_cloud, open_agent)
    run.resume()
    assert run.status == "succeeded", run.to_json()["timeline"]
    used = [event for event in run.events() if event["event"] == "approval used"]
    assert len(used) <= 1


def test_a_run_that_was_killed_while_it_was_recorded_as_waiting_still_waits(
    guarded_cloud: Path, open_agent: Open
) -> None:
    waiting = open_agent(guarded_cloud).manage_infrastructure("apply", "infra", requested_by="ben")
    run = open_agent(guarded_cloud).run(waiting.id).resume()
    assert (run.status, run.exit_code) == ("awaiting_approval", 3)


def test_resuming_a_finished_run_changes_nothing(cloud: Path, open_agent: Open) -> None:
    run = open_agent(cloud).manage_infrastructure("apply", "infra")
    before = run.to_json()
    assert open_agent(cloud).run(run.id).resume().to_json() == before


def test_what_changed_while_the_process_was_dead_is_noticed(cloud: Path, open_agent: Open) -> None:
    die_at(cloud, "before:begin", "manage_infrastructure", "apply", "infra")
    write(cloud, {"infra/main.tf": TERRAFORM + "\n# edited meanwhile\n"})
    run = cut_off(cloud, open_agent).resume()
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert not (cloud / "infra" / "terraform.tfstate").exists()


def test_what_the_engine_was_creating_when_it_was_killed_is_left_to_a_person(
    cloud: Path, open_agent: Open
) -> None:
    """It may exist although no state knows it: to plan what remains would make it a second time."""
    stops = """
resource "terraform_data" "slow" {
  depends_on = [terraform_data.database]
  provisioner "local-exec" {
    command = "echo made >> made.txt; while [ ! -e go ]; do sleep 0.05; done"
  }
}
"""
    write(cloud, {"infra/main.tf": TERRAFORM + stops})
    commit(cloud, "stops half-way")
    made = cloud / "infra" / "made.txt"
    driver = subprocess.Popen(
        [sys.executable, str(DRIVER), str(cloud), "never", "manage_infrastructure", "apply", "infra"],
        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[2])},
    )
    with driver:
        deadline = time.monotonic() + 60
        while not made.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        [engine] = [child for child in psutil.Process(driver.pid).children() if "apply" in child.cmdline()]
        driver.kill()
        engine.kill()
        engine.wait(10)
    (cloud / "infra" / "go").touch()
    run = cut_off(cloud, open_agent)
    run.resume()
    pending = run.pending
    assert pending is not None, run.to_json()["timeline"]
    assert (run.status, run.exit_code, pending["kind"]) == ("awaiting_approval", 3, "escalation")
    assert run.to_json()["outcome"]["orphans"] == ["terraform_data.slow"]
    assert "may exist without being in the state: terraform_data.slow" in pending["question"]
    assert made.read_text().split() == ["made"]
    run.approve(pending["digest"], by="ana", reason="looked: it was not there")
    assert run.status == "succeeded", run.to_json()["timeline"]
    assert made.read_text().split() == ["made", "made"]


def resumed_after_another(
    service: Path, open_agent: Open, moment: str, second: str, clock: Callable[[], datetime] | None = None
) -> Run:
    """v1 serves; v2, whose VERSION is ``second``, is killed; v3 is deployed by another run; v2 is resumed."""
    assert open_agent(service).deploy_release("web", "v1").status == "succeeded"
    for version, text in (("v2", second), ("v3", "3")):
        write(service, {"VERSION": text})
        commit(service, version, version)
    die_at(service, moment, "deploy_release", "web", "v2")
    run = cut_off(service, open_agent)
    other = open_agent(service)
    if clock is not None:
        other = DevOpsAgent(service, load_settings(service), ports=replace(other.ports, clock=clock))
    assert other.deploy_release("web", "v3").status == "succeeded"
    agent = open_agent(service)
    run = agent.run(run.id)
    run.resume()
    now = agent.environments()[0]
    assert (now["version"], now["verified"]) == ("v3", True), run.to_json()["timeline"]
    return run


@pytest.mark.parametrize("moment", ["after:begin", "before:deploy", "before:complete", "after:complete"])
def test_a_deployment_that_was_killed_takes_nothing_away_that_came_after_it(
    service: Path, open_agent: Open, moment: str
) -> None:
    run = resumed_after_another(service, open_agent, moment, "2")
    assert run.status not in ("succeeded", "running", "interrupted"), run.to_json()["timeline"]
    assert len(services(service)) == 1


@pytest.mark.parametrize(
    "moment",
    ["before:block_version", pytest.param("before:rollback", marks=pytest.mark.slow), "after:rollback"],
)
def test_a_rollback_that_was_killed_takes_nothing_away_that_came_after_it(
    service: Path, open_agent: Open, moment: str
) -> None:
    run = resumed_after_another(service, open_agent, moment, "sick-2")
    assert (run.status, run.exit_code) == ("blocked", 4), run.to_json()["timeline"]
    assert "v3 runs on web" in run.to_json()["reason"]


def test_what_came_after_it_is_known_though_the_clock_was_set_back(service: Path, open_agent: Open) -> None:
    def yesterday() -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    run = resumed_after_another(service, open_agent, "before:block_version", "sick-2", yesterday)
    assert (run.status, run.exit_code) == ("blocked", 4), run.to_json()["timeline"]
