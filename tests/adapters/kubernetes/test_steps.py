"""Canary steps and blue/green on a real API server: shares, failing analyses, and calls that are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from midas_devops.ports.deployer import DeployPlan, Release
from tests.adapters.kubernetes.cluster import CONTEXT
from tests.adapters.kubernetes.place import Place, manifest
from tests.adapters.test_command import interrupting
from tests.projects import commit, git, write

pytestmark = pytest.mark.slow

STEPS = {"canary": [{"weight": 25}, {"weight": 50}]}
SLOTS = {"blue_green": True, "service": "web"}


def _silent(_: str) -> None:
    return None


@pytest.fixture
def canary(place: Place) -> Place:
    """Four pods of v1, and v2 waiting to come up in steps."""
    place.changes = dict(STEPS)
    place.first = place.release("v1.0", replicas=4)
    place.second = place.release("v2.0", replicas=4)
    place.deployer().deploy(place.first, _silent)
    return place


@pytest.fixture
def slots(place: Place) -> Place:
    """v1 serves from one of two slots."""
    place.changes = dict(SLOTS)
    place.deployer().deploy(place.first, _silent)
    return place


def _killed(place: Place, release: Release, words: str) -> None:
    table = json.dumps(place.table())
    driver = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.adapters.kubernetes.driver",
            str(place.root),
            table,
            release.model_dump_json(),
            words,
        ],
        cwd=Path(__file__).parents[3],
        env=place.cluster.environ(),
        check=False,
        timeout=120,
    )
    assert driver.returncode == -signal.SIGKILL


def _judge(place: Place, script: str) -> tuple[str, ...]:
    path = place.root / ".midas" / "judge.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    return (sys.executable, str(path), "{commit}", "{weight}")


def test_each_step_has_its_share_of_the_pods_and_is_analysed(canary: Place) -> None:
    note = canary.root / ".midas" / "seen"
    ask = ["kubectl", "--context", CONTEXT, "-n", canary.namespace, "get", "pods", "-o", "json"]
    script = f"""
import json, subprocess, sys
pods = json.loads(subprocess.check_output({ask!r}))["items"]
live = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
new = sum(pod["spec"]["containers"][0]["image"].endswith(sys.argv[1]) for pod in live)
open({str(note)!r}, "a").write(f"{{sys.argv[2]}} {{new}}\\n")
"""
    result = canary.deployer(analysis=_judge(canary, script)).deploy(canary.second, _silent)
    assert result.failure is None
    assert note.read_text().splitlines() == ["25 1", "50 2", "100 6"]  # its two pods beside the four go last
    assert canary.images() == [canary.second.commit] * 4
    assert [each["metadata"]["name"] for each in canary.json("get", "deployments")["items"]] == ["web"]


def test_pods_that_somebody_else_counts_are_as_many_as_before(canary: Place) -> None:
    write(canary.root, {"k8s/web.yaml": manifest(replicas=4).replace("  replicas: 4\n", "")})
    commit(canary.root, "without a number", "v5")
    release = canary.second.model_copy(
        update={"version": "v5", "commit": git(canary.root, "rev-parse", "v5")}
    )
    assert canary.deployer().deploy(release, _silent).failure is None
    assert canary.images() == [release.commit] * 4


def test_a_failing_analysis_takes_the_canary_down(canary: Place) -> None:
    script = "import sys; sys.exit('error rate 7 %' if sys.argv[2] == '50' else 0)"
    result = canary.deployer(analysis=_judge(canary, script)).deploy(canary.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "health_check_failed"
    assert "at 50 %" in result.failure.message
    assert "error rate 7 %" in result.failure.message
    assert result.serving is not None
    assert result.serving.commit == canary.first.commit
    assert canary.images() == [canary.first.commit] * 4
    assert [each["metadata"]["name"] for each in canary.json("get", "deployments")["items"]] == ["web"]


def test_ctrl_c_in_a_pause_takes_the_canary_down(canary: Place) -> None:
    lines: list[str] = []
    deployer = canary.deployer(canary=[{"weight": 50, "pause": "10m"}])
    with interrupting(lambda: any("watched for 600 s" in line for line in lines)):
        result = deployer.deploy(canary.second, lines.append)
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert canary.images() == [canary.first.commit] * 4
    assert [each["metadata"]["name"] for each in canary.json("get", "deployments")["items"]] == ["web"]


def test_a_canary_that_crashes_never_gets_further(canary: Place) -> None:
    result = canary.deployer().deploy(canary.release("v3.0", "crashes", replicas=4), _silent)
    assert result.failure is not None
    assert result.failure.code == "crash_loop"
    assert canary.images() == [canary.first.commit] * 4


@pytest.mark.parametrize("words", ["25 % of the traffic", "50 % of the traffic", "apply Service"])
def test_a_killed_canary_goes_on_at_its_step(canary: Place, words: str) -> None:
    _killed(canary, canary.second, words)
    running = canary.deployer().status()
    assert running is not None
    assert running.commit == canary.first.commit
    lines: list[str] = []
    result = canary.deployer().deploy(canary.second, lines.append)
    assert result.failure is None
    assert any("where it was cut off" in line for line in lines)
    assert ("25 % of the traffic" in " ".join(lines)) == (words == "25 % of the traffic")
    assert canary.images() == [canary.second.commit] * 4
    assert [each["metadata"]["name"] for each in canary.json("get", "deployments")["items"]] == ["web"]


def test_a_canary_that_was_left_behind_by_a_finished_version_goes(canary: Place) -> None:
    _killed(canary, canary.second, "100 % of the traffic")
    running = canary.deployer().status()
    assert running is not None
    assert (running.commit, running.unfinished) == (canary.second.commit, True)
    result = canary.deployer().deploy(canary.second, _silent)
    assert result.serving is not None
    assert (result.serving.commit, result.serving.unfinished) == (canary.second.commit, False)
    assert [each["metadata"]["name"] for each in canary.json("get", "deployments")["items"]] == ["web"]


def test_another_version_takes_down_the_canary_of_a_killed_call(canary: Place) -> None:
    _killed(canary, canary.second, "50 % of the traffic")
    third = canary.release("v3.0", replicas=4)
    assert canary.deployer().deploy(third, _silent).failure is None
    assert Counter(canary.images()) == {third.commit: 4}


def test_a_canary_is_taken_down_although_midas_toml_has_no_steps_any_more(canary: Place) -> None:
    _killed(canary, canary.second, "50 % of the traffic")
    assert canary.deployer(canary=()).deploy(canary.second, _silent).failure is None
    assert canary.images() == [canary.second.commit] * 4


def test_a_deployment_of_somebody_else_is_not_taken_for_a_canary(canary: Place) -> None:
    canary.kubectl("create", "deployment", "web-canary", "--image=registry.example/other:1")
    result = canary.deployer().deploy(canary.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "conflict"
    assert canary.json("get", "deployment", "web-canary")["spec"]["replicas"] == 1


def test_rollback_ends_the_canary_of_a_killed_call(canary: Place) -> None:
    _killed(canary, canary.second, "50 % of the traffic")
    assert canary.deployer().rollback(canary.first, _silent).failure is None
    assert canary.images() == [canary.first.commit] * 4


def test_the_steps_are_in_the_plan(canary: Place) -> None:
    effects = " | ".join(canary.deployer().plan(canary.second).effects)
    assert "25 %" in effects
    assert "50 %" in effects
    assert "100 %" in effects


def test_a_rollbacks_plan_takes_the_canary_of_a_killed_call_down(canary: Place) -> None:
    _killed(canary, canary.second, "50 % of the traffic")
    back = canary.deployer().plan_rollback(canary.first).effects
    assert back[0].startswith(
        "give Deployment/web its 4 pods again; delete Deployment/web-canary in namespace"
    )
    on = canary.deployer().plan(canary.second).effects
    assert on[0].startswith("go on with Deployment/web-canary beside Deployment/web")
    assert not any("25 %" in line for line in on)
    assert canary.deployer().rollback(canary.first, _silent).failure is None
    assert canary.deployer().plan_rollback(canary.first).effects == DeployPlan.stays(canary.first).effects


# blue/green


def test_nobody_reaches_a_slot_before_it_is_ready_and_analysed(slots: Place) -> None:
    script = "import sys; sys.exit('smoke test failed')"
    result = slots.deployer(analysis=_judge(slots, script)).deploy(slots.second, _silent)
    assert result.failure is not None
    assert "smoke test failed" in result.failure.message
    assert set(slots.images()) == {slots.first.commit}


def test_rollback_switches_to_the_slot_that_still_runs(slots: Place) -> None:
    before = slots.instance()
    slots.deployer().deploy(slots.second, _silent)
    assert set(slots.images()) == {slots.second.commit}
    assert slots.deployer().rollback(slots.first, _silent).failure is None
    assert slots.instance() == before


def test_a_rollbacks_plan_is_the_switch_to_the_slot_that_still_runs(slots: Place) -> None:
    slots.deployer().deploy(slots.second, _silent)
    kept, switch = slots.deployer().plan_rollback(slots.first).effects
    assert kept.startswith("take v1 from Deployment/web-blue in namespace")
    assert switch == "switch Service/web from green to blue; back if it is unhealthy"
    assert set(slots.images()) == {slots.second.commit}


def test_an_unhealthy_address_switches_back(slots: Place) -> None:
    health: dict[str, Any] = {"url": "http://127.0.0.1:9/health", "within": "1s"}
    result = slots.deployer(health=health).deploy(slots.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "health_check_failed"
    assert set(slots.images()) == {slots.first.commit}


@pytest.mark.parametrize(
    "words", ["apply Deployment", "web-green: 2 of 2 new", "switch Service/web to green"]
)
def test_a_killed_switch_ends_where_it_should(slots: Place, words: str) -> None:
    words = words.replace("apply Deployment", "apply ")
    _killed(slots, slots.second, words)
    assert set(slots.images()) == {slots.first.commit}
    assert slots.deployer().deploy(slots.second, _silent).failure is None
    assert set(slots.images()) == {slots.second.commit}
