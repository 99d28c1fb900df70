"""``midas-devops deploy`` to a real API server, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.kubernetes.cluster import CONTEXT
from tests.adapters.kubernetes.place import Place
from tests.adapters.local.place import until
from tests.projects import commit, write

pytestmark = pytest.mark.slow

TOML = """
[environments.live]
kind = "{kind}"
approvals = 0

[environments.live.deploy]
using = "kubernetes"
context = "{context}"
namespace = "{namespace}"
deployment = "web"
image = "registry.example/web:{{commit}}"
manifests = ["k8s/*.yaml"]
within = "5s"
health = {{ within = "5s" }}
{more}
"""


@pytest.fixture
def live(place: Place) -> Place:
    """A project with an environment ``live`` in the cluster."""
    configure(place)
    return place


def configure(place: Place, more: str = "") -> None:
    text = TOML.format(kind="staging", context=CONTEXT, namespace=place.namespace, more=more)
    write(place.root, {"midas.toml": text})
    commit(place.root, "configure")


def midas(place: Place, *arguments: str) -> tuple[int, Any]:
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "midas-devops"), *arguments, "--json"],
        cwd=place.root,
        env=place.cluster.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, json.loads(ended.stdout)


def test_a_release_is_planned_deployed_and_verified(live: Place) -> None:
    code, run = midas(live, "deploy", "live", "v1")
    assert (code, run["status"]) == (0, "succeeded")
    assert live.answer() == live.first.commit
    code, again = midas(live, "deploy", "live", "v1")
    assert (code, again["effects"]) == (0, [])
    code, listed = midas(live, "env", "list")
    assert code == 0
    (environment,) = listed["environments"]
    assert (environment["version"], environment["verified"]) == ("v1", True)


@pytest.mark.parametrize(
    ("mode", "category", "quoted"),
    [
        ("unready", "health_check_failed", "readiness probe"),
        ("pulls", "not_found", "ImagePullBackOff"),
        ("crashes", "invalid_configuration", "KeyError: 'DATABASE_URL'"),
    ],
)
def test_a_bad_version_is_diagnosed_and_rolled_back(
    live: Place, mode: str, category: str, quoted: str
) -> None:
    crash = 'Traceback (most recent call last):\n  File "app.py", line 3, in <module>\n' + quoted
    live.cluster.write(f"starting\n{crash if mode == 'crashes' else 'listening'}\n")
    assert midas(live, "deploy", "live", "v1")[0] == 0
    live.release("v4", mode)
    code, run = midas(live, "deploy", "live", "v4")
    assert (code, run["status"]) == (5, "rolled_back")
    assert run["recovery"]["to_version"] == "v1"
    assert live.answer() == live.first.commit
    assert any(quoted in span["text"] for span in run["diagnosis"]["spans"]), run["diagnosis"]
    assert run["diagnosis"]["category"] == category, run["diagnosis"]
    assert midas(live, "deploy", "live", "v4")[0] == 4


def test_the_steps_and_the_servers_difference_are_what_is_approved(live: Place) -> None:
    configure(live, "canary = [{ weight = 50 }]")
    assert midas(live, "deploy", "live", "v1")[0] == 0
    code, run = midas(live, "deploy", "live", "v2")
    assert (code, run["status"]) == (0, "succeeded")
    assert live.answer() == live.second.commit


def test_a_cluster_that_is_away_stops_the_run_before_anything(live: Place) -> None:
    text = (live.root / "midas.toml").read_text().replace(CONTEXT, "somebody-elses")
    write(live.root, {"midas.toml": text})
    code, run = midas(live, "deploy", "live", "v1")
    assert code == 1
    assert "cluster-info" in json.dumps(run)


def started(place: Place, *arguments: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "midas_devops", *arguments, "--json"],
        cwd=place.root,
        env=place.cluster.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_at_once_are_one_deployment_and_one_refusal(live: Place) -> None:
    both = [started(live, "deploy", "live", version) for version in ("v1", "v2")]
    runs = [json.loads(each.communicate(timeout=120)[0]) for each in both]
    assert sorted(each.returncode for each in both) == [0, 4]
    (deployed,) = [run for run in runs if run["status"] == "succeeded"]
    assert live.answer() == deployed["plan"]["release"]["to_commit"]


def test_a_run_killed_in_a_canary_is_resumed_at_its_step(live: Place) -> None:
    configure(live, 'canary = [{ weight = 50, pause = "3s" }]')
    assert midas(live, "deploy", "live", "v1")[0] == 0
    process = started(live, "deploy", "live", "v2")
    until(lambda: canary_is_ready(live))
    process.kill()
    process.communicate()
    (run_id,) = [
        run["run_id"] for run in midas(live, "runs", "list")[1]["runs"] if run["status"] == "interrupted"
    ]
    assert set(live.images()) == {live.first.commit, live.second.commit}
    code, run = midas(live, "runs", "resume", run_id)
    assert (code, run.get("status")) == (0, "succeeded"), run
    assert set(live.images()) == {live.second.commit}
    assert [each["metadata"]["name"] for each in live.json("get", "deployments")["items"]] == ["web"]


def canary_is_ready(place: Place) -> bool:
    """Whether the canary's pods take part and the stable ones made room."""
    found = {each["metadata"]["name"]: each for each in place.json("get", "deployments")["items"]}
    beside = found.get("web-canary", {}).get("status", {})
    return bool(beside.get("readyReplicas")) and found["web"]["spec"]["replicas"] == 1
