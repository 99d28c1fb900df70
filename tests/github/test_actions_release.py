"""A release by GitHub Actions from end to end: plan, dispatch, verify, and back when it is sick."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from tests.github.server import TOKEN, GitHub
from tests.github.shapes import REPOSITORY
from tests.github.test_deployer import Service, service
from tests.projects import commit, project, write

__all__ = ["service"]

SETTINGS = """
[project]
repository = "{repository}"

[tracker]
using = "github"
api_url = "{api}"

[environments.web]
kind = "staging"
url = "{url}"

[environments.web.deploy]
using = "github_actions"
workflow = "deploy.yml"
health = {{ path = "/", within = "2s" }}
"""


def test_a_sick_version_is_rolled_back_by_the_same_workflow(
    tmp_path: Path, github: GitHub, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)

    def execute(inputs: dict[str, str]) -> tuple[str, str]:
        service.commit = inputs["commit"]
        return "success", f"deployed {inputs['commit']}\n"

    github.execute = execute
    settings = SETTINGS.format(repository=REPOSITORY, api=github.url, url=service.url)
    root = project(tmp_path / "p", {"midas.toml": settings, ".gitignore": ".midas/\n"})
    with DevOpsAgent.from_project(root) as agent:
        first = agent.deploy_release("web", "v1")
        assert first.status == "succeeded"
        good = service.commit
        effects = first.to_json()["plan"]["release"]["effects"]
        assert any("start deploy.yml at main" in effect for effect in effects)
        assert agent.deploy_release("web", "v1").status == "succeeded"
        assert github.count("/dispatches") == 1

        write(root, {"VERSION": "2"})
        sick = commit(root, "second", "v2")
        service.sick = {sick}
        second = agent.deploy_release("web", "v2", issue_number=7)
        assert second.status == "rolled_back"
        assert service.commit == good
    kinds = [run["display_title"].split("/")[-2] for run in github.runs]
    assert kinds == ["deploy", "deploy", "rollback"]
    assert "rolled_back" in github.texts()[0]
    states = [[status["state"] for status in told] for told in github.deployment_statuses.values()]
    assert states == [
        ["in_progress", "success", "inactive"],
        ["in_progress", "failure"],
        ["in_progress", "success"],
    ]
