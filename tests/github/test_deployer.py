"""The github_actions deployer: dispatched, watched, found again, on a GitHub on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters import github_dispatch
from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.github_deployer import GitHubActionsDeployer
from midas_devops.config import Environment, GitHubActionsDeploy, Health, Project, Settings, Tracker
from midas_devops.errors import ConfigError, RemoteError, ToolError
from midas_devops.ports.deployer import Release
from midas_devops.testing.deployer import DeployerConformance
from tests.github.server import TOKEN, Fault, GitHub
from tests.github.shapes import REPOSITORY


class Service(ThreadingHTTPServer):
    """What the workflow deploys to: it answers with its commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.commit = ""
        self.sick: set[str] = set()
        self.started = 0


class _Service(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        good = self.server.commit and self.server.commit not in self.server.sick
        self.send_response(200 if good else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def release(version: str, letter: str, run_id: str = "run-1") -> Release:
    return Release(run_id=run_id, environment="production", version=version, commit=letter * 40)


class World:
    """A project whose production is deployed by a workflow."""

    def __init__(self, root: Path, github: GitHub, service: Service) -> None:
        self.root = root
        self.github = github
        self.service = service
        self.first, self.second = release("v1", "a"), release("v2", "b")
        self.unhealthy = release("v3", "c")
        service.sick = {self.unhealthy.commit}
        self.artifacts = open_artifacts(".midas/artifacts", root)
        github.execute = self.execute

    def execute(self, inputs: dict[str, str]) -> tuple[str, str]:
        self.service.commit = inputs["commit"]
        self.service.started += 1
        return "success", f"deployed {inputs['commit']} to {inputs['environment']}\n"

    def deployer(self, **changes: Any) -> GitHubActionsDeployer:
        given: dict[str, Any] = {
            "workflow": "deploy.yml",
            "health": Health(path="/", within=timedelta(seconds=1)),
            "within": timedelta(seconds=30),
        }
        how = GitHubActionsDeploy(using="github_actions", **(given | changes))
        settings = Settings(
            project=Project(repository=REPOSITORY),
            tracker=Tracker(using="github", api_url=self.github.url),
            environments={"production": Environment(url=self.service.url, deploy=how)},
        )
        return GitHubActionsDeployer.from_settings(
            "production",
            how,
            settings,
            {"GITHUB_TOKEN": TOKEN},
            root=self.root,
            artifacts=self.artifacts,
            redact=lambda text: text.replace(TOKEN, "[redacted]"),
        )

    def answer(self) -> str:
        return self.service.commit

    def instance(self) -> str:
        return str(self.service.started)


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(name="world")
def _world(tmp_path: Path, github: GitHub, service: Service) -> World:
    return World(tmp_path, github, service)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is not listed is given up at once."""
    monkeypatch.setattr(github_dispatch, "APPEARS_WITHIN", 0.5)


class TestGitHubActions(DeployerConformance):
    restores_on_failure = False

    @pytest.fixture
    def world(self, tmp_path: Path, github: GitHub, service: Service) -> World:
        return World(tmp_path, github, service)


def dispatched(world: World) -> int:
    return world.github.count("/dispatches")


# finding a run again


def test_a_run_that_github_lists_late_is_waited_for(world: World) -> None:
    world.github.hidden_for = 3
    world.github.faults = [Fault("/dispatches", 204, "", after=True, times=1)]
    assert world.deployer().deploy(world.first, str).failure is None
    assert dispatched(world) == 1


@pytest.mark.parametrize("jump", [timedelta(days=400), -timedelta(days=400)])
def test_a_wall_clock_that_jumps_does_not_move_the_wait_for_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    world.github.hidden_for = 3
    world.github.faults = [Fault("/dispatches", 204, "", after=True, times=1)]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump.total_seconds() * (dispatched(world) > 0))
    assert world.deployer().deploy(world.first, str).failure is None
    assert dispatched(world) == 1


def test_a_lost_answer_to_the_dispatch_starts_no_second_run(world: World) -> None:
    world.github.faults = [Fault("/dispatches", after=True, drop=True, times=1)]
    assert world.deployer().deploy(world.first, str).failure is None
    assert dispatched(world) == 1


@pytest.mark.usefixtures("quick")
def test_a_dispatch_that_was_never_received_is_a_failure_without_an_effect(world: World) -> None:
    world.github.faults = [Fault("/dispatches", 502, times=1)]
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert (result.failure.code, result.serving) == ("refused", None)
    assert "no run shows it" in result.failure.message
    assert world.deployer().deploy(world.first, str).failure is None
    assert world.service.started == 1


DRIVER = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from tests.github.test_deployer import World
from midas_devops.adapters import github_runs

moment, root, github_url, service_url = sys.argv[1:]

class Remote:
    def __init__(self, url):
        self.url = url
        self.sick = set()

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

trigger = github_runs.GitHubRuns.trigger
def dying(*args, **kwargs):
    if moment == "before the dispatch":
        die()
    result = trigger(*args, **kwargs)
    if moment == "after the dispatch":
        die()
    return result
github_runs.GitHubRuns.trigger = dying
if moment == "while it runs":
    github_runs.GitHubRuns.run = die
world = World(Path(root), Remote(github_url), Remote(service_url))
world.deployer().deploy(world.first, str)
"""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("moment", ["before the dispatch", "after the dispatch", "while it runs"])
def test_a_killed_deployment_is_carried_on_with_the_run_that_it_started(
    world: World, tmp_path: Path, moment: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, moment, str(tmp_path), world.github.url, world.service.url],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    lines: list[str] = []
    result = world.deployer().deploy(world.first, lines.append)
    assert result.failure is None
    assert result.serving is not None
    assert dispatched(world) == world.service.started == 1
    assert any("carried on" in line for line in lines) == (moment != "before the dispatch")


def test_a_run_that_failed_while_we_were_dead_is_told_not_repeated(world: World) -> None:
    marker = f"production/{world.first.commit}/run-1/deploy/1"
    world.github.execute = lambda _: ("failure", "Error: no such bucket\n")
    started = world.github.start({"marker": marker})
    while started["status"] != "completed":
        world.github.look(started)
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert "ended with failure" in result.failure.message
    assert dispatched(world) == 0
    world.github.execute = world.execute
    assert world.deployer().deploy(world.first, str).failure is None
    assert dispatched(world) == 1


def test_a_release_that_was_replaced_can_be_deployed_again(world: World) -> None:
    for each in (world.first, world.second, world.first):
        result = world.deployer().deploy(each, str)
        assert result.failure is None
        assert world.answer() == each.commit
    titles = [run["display_title"] for run in world.github.runs]
    assert titles[0].endswith("/deploy/1")
    assert titles[2].endswith("/deploy/2")


# what runs


def test_runs_that_others_start_and_other_environments_say_nothing(world: World) -> None:
    world.deployer().deploy(world.first, str)
    others = [
        "by hand",
        f"staging/{world.second.commit}/run-9/deploy/1",
        f"production/{'g' * 40}/run-9/deploy/1",
        f"production/{world.second.commit}/run-9/destroy/1",
    ]
    for title in others:
        run = world.github.start({"marker": title, "commit": "d" * 40, "environment": "x"})
        while run["status"] != "completed":
            world.github.look(run)
    running = world.deployer().status()
    assert running is not None
    assert running.commit == world.first.commit
    assert running.since


def test_what_runs_is_found_behind_a_hundred_failed_runs(world: World) -> None:
    world.deployer().deploy(world.first, str)
    world.github.execute = lambda _: ("failure", "")
    for number in range(120):
        run = world.github.start({"marker": f"production/{'d' * 40}/run-{number}/deploy/1"})
        while run["status"] != "completed":
            world.github.look(run)
    running = world.deployer().status()
    assert running is not None
    assert running.commit == world.first.commit


# failures


@pytest.mark.parametrize(
    ("conclusion", "code"),
    [("failure", "start_failed"), ("timed_out", "timed_out"), ("cancelled", "cancelled")],
)
def test_a_run_that_does_not_end_well_is_a_failure_with_its_log(
    world: World, conclusion: str, code: str
) -> None:
    world.github.execute = lambda _: (conclusion, "Error: AccessDenied\n")
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert result.failure.code == code
    assert "AccessDenied" in world.artifacts.get(result.logs[-1]).decode()
    assert result.logs[-1].private


def test_a_run_that_takes_too_long_is_cancelled_and_leaves_nothing_behind(world: World) -> None:
    world.github.looks_to_finish = 10_000
    result = world.deployer(within=timedelta(seconds=1)).deploy(world.first, str)
    assert result.failure is not None
    assert result.failure.code == "timed_out"
    assert world.github.runs[0]["conclusion"] == "cancelled"
    assert world.service.started == 0


def test_a_workflow_whose_name_hides_the_marker_is_told_how_to_show_it(world: World) -> None:
    world.github.run_name = "Deploy"
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert "run-name" in result.failure.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"message": "Bad credentials"}'),
        (403, '{"message": "Resource not accessible by personal access token"}'),
        (404, '{"message": "Not Found"}'),
        (422, '{"message": "Workflow does not have \'workflow_dispatch\' trigger"}'),
        (429, '{"message": "API rate limit exceeded"}'),
    ],
)
def test_a_refused_dispatch_is_a_failure_that_says_why(world: World, status: int, body: str) -> None:
    world.github.faults = [Fault("/dispatches", status, body)]
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert result.failure.code == "refused"
    assert str(status) in result.failure.message
    assert TOKEN not in result.failure.message
    assert world.github.runs == []


def test_github_may_be_away_while_the_run_goes_on(world: World) -> None:
    world.github.looks_to_finish = 4
    lines: list[str] = []

    def watch(line: str) -> None:
        if line.startswith("run 501 is") and not world.github.faults:
            world.github.faults = [Fault(r"GET /actions/runs/\d+$", 502, times=3)]
        lines.append(line)

    assert world.deployer().deploy(world.first, watch).failure is None
    assert any("goes on without us" in line for line in lines)
    assert dispatched(world) == 1


def test_a_log_that_github_has_deleted_takes_nothing_away(world: World) -> None:
    world.github.faults = [Fault("/logs", 410, '{"message": "gone"}')]
    result = world.deployer().deploy(world.first, str)
    assert (result.failure, result.logs) == (None, ())


def test_an_outage_before_anything_began_is_an_error(world: World) -> None:
    world.github.faults = [Fault("/runs", 401, '{"message": "Bad credentials"}')]
    with pytest.raises(RemoteError, match="Bad credentials"):
        world.deployer().deploy(world.first, str)
    assert dispatched(world) == 0


# plan and configuration


def test_the_plan_names_the_dispatch_and_a_missing_workflow_is_seen_before(world: World) -> None:
    planned = world.deployer().plan(world.first)
    assert planned.effects[0].startswith("start deploy.yml at main with commit=aaaa")
    with pytest.raises(ToolError, match=r"no workflow 'other\.yml'") as caught:
        world.deployer(workflow="other.yml").plan(world.first)
    assert "deploy.yml" in caught.value.hint
    world.github.workflows[0]["state"] = "disabled_manually"
    with pytest.raises(ToolError, match="disabled manually"):
        world.deployer().plan(world.first)


def test_a_rollbacks_plan_names_the_workflow_and_the_inputs_of_the_earlier_commit(world: World) -> None:
    for release in (world.first, world.second):
        world.deployer().deploy(release, str)
    effects = world.deployer().plan_rollback(world.first).effects
    assert effects == (
        f"start deploy.yml at main with commit={world.first.commit}, environment=production",
        "wait up to 0.5 min for its run to end well",
    )
    assert dispatched(world) == 2


def test_inputs_must_carry_the_marker_and_known_placeholders(world: World) -> None:
    with pytest.raises(ValueError, match="marker"):
        GitHubActionsDeploy(using="github_actions", workflow="deploy.yml", inputs={"commit": "{commit}"})
    with pytest.raises(ConfigError, match="nothing fills"):
        world.deployer(inputs={"m": "{marker}", "x": "{port}"})
