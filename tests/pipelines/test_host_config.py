"""What is configured at GitHub, and what that lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from midas_devops import DevOpsAgent
from midas_devops.interfaces.cli.main import run
from midas_devops.interfaces.tools import agent_tools
from midas_devops.pipelines.describe import describe
from midas_devops.pipelines.host_missing import host_missing
from midas_devops.pipelines.tree import FolderTree
from midas_devops.ports.pipeline import HostConfig
from tests.pipelines.actions_routes import NAME
from tests.pipelines.actions_server import TOKEN, ActionsServer, Fault, serving
from tests.projects import project

WORKFLOW = """
name: CI
on: push
jobs:
  deploy:
    runs-on: ubuntu-24.04
    environment: live
    steps:
      - run: ./deploy "${{ secrets.DEPLOY_KEY }}" "${{ vars.REGION }}" "${{ secrets.GITHUB_TOKEN }}"
"""


@pytest.fixture
def github() -> Iterator[ActionsServer]:
    with serving() as server:
        yield server


@pytest.fixture
def root(github: ActionsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = (
        f'[project]\nname = "orders"\nrepository = "{NAME}"\n'
        f'[tracker]\nusing = "github"\napi_url = "{github.url}"\n'
        '[environments.live]\nkind = "production"\n'
    )
    files = {"midas.toml": settings, ".github/workflows/ci.yml": WORKFLOW}
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    found = project(tmp_path / "orders", files)
    monkeypatch.chdir(found)
    return found


def config(root: Path) -> dict[str, Any]:
    with DevOpsAgent.from_project(root) as agent:
        return agent.get_pipeline_config()


def lacks(root: Path) -> list[str]:
    """What is missing at the host; what the file lacks is told elsewhere."""
    return [line for line in config(root)["missing"] if "ci.yml: deploy: no" not in line]


def names(*given: str) -> list[dict[str, str]]:
    return [{"name": name, "created_at": "2026-01-01T00:00:00Z"} for name in given]


def well_kept(github: ActionsServer) -> None:
    """Everything as our checks want it."""
    review = {
        "id": 1,
        "type": "required_reviewers",
        "prevent_self_review": True,
        "reviewers": [
            {"type": "User", "reviewer": {"login": "ana"}},
            {"type": "Team", "reviewer": {"slug": "release", "name": "Release"}},
        ],
    }
    github.settings |= {
        "/environments": [
            {
                "id": 1,
                "name": "live",
                "protection_rules": [review, {"id": 2, "type": "wait_timer", "wait_timer": 30}],
                "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
            }
        ],
        "/environments/live/deployment-branch-policies": names("main", "release/*"),
        "/environments/live/secrets": names("DEPLOY_KEY"),
        "/environments/live/variables": [{"name": "REGION", "value": "a-value-of-a-variable"}],
        "/branches/main": {
            "name": "main",
            "protected": True,
            "protection": {"enabled": True, "required_status_checks": {"contexts": ["test"]}},
        },
        "/branches/main/protection": {
            "required_status_checks": {"contexts": ["test"], "checks": [{"context": "test"}]},
            "required_pull_request_reviews": {"required_approving_review_count": 2},
            "allow_force_pushes": {"enabled": False},
        },
        "/actions/permissions": {"enabled": True, "allowed_actions": "all", "sha_pinning_required": True},
    }


def test_everything_that_the_host_has_is_told(github: ActionsServer, root: Path) -> None:
    well_kept(github)
    host = config(root)["host"]
    assert (host["host"], host["default_branch"]) == ("acme/orders on GitHub", "main")
    assert [(one["name"], one["state"]) for one in host["workflows"]] == [("CI", "active")]
    (live,) = host["environments"]
    assert live == {
        "name": "live",
        "reviewers": ["ana", "team release"],
        "self_review": False,
        "wait_minutes": 30,
        "branches": ["main", "release/*"],
        "admins_bypass": True,
        "secrets": ["DEPLOY_KEY"],
        "variables": ["REGION"],
    }
    assert (host["branch"]["protected"], host["branch"]["required_checks"]) == (True, ["test"])
    assert (host["branch"]["approvals"], host["branch"]["force_push"]) == (2, False)
    assert (host["permissions"]["default_access"], host["permissions"]["pins_required"]) == ("read", True)
    assert host["unknown"] == []


def test_no_value_of_a_variable_is_told(github: ActionsServer, root: Path) -> None:
    well_kept(github)
    assert "a-value-of-a-variable" not in json.dumps(config(root))


def test_what_is_well_kept_lacks_nothing(github: ActionsServer, root: Path) -> None:
    well_kept(github)
    assert [line for line in lacks(root) if not line.startswith(".github/workflows/ci.yml: no ")] == []


def test_a_bare_repository_lacks_what_our_checks_want(github: ActionsServer, root: Path) -> None:
    github.settings |= {
        "/environments": [
            {"id": 1, "name": "live", "protection_rules": [], "deployment_branch_policy": None}
        ],
        "/environments/live/secrets": [],
        "/environments/live/variables": [],
        "/actions/secrets": names("OLD_TOKEN"),
        "/actions/permissions/workflow": {
            "default_workflow_permissions": "write",
            "can_approve_pull_request_reviews": True,
        },
    }
    github.workflows[0]["state"] = "disabled_inactivity"
    told = "\n".join(lacks(root))
    for lack in (
        "environment live: nobody has to approve a deployment",
        "environment live: every branch may deploy",
        "branch main: not protected",
        "the default token may write",
        "workflows may approve pull requests",
        "pins to a commit are not required",
        ".github/workflows/ci.yml: disabled inactivity on the host",
        ".github/workflows/ci.yml: the secret DEPLOY_KEY is used, and the host has none of that name",
        ".github/workflows/ci.yml: the variable REGION is used, and the host has none of that name",
        "not used by any workflow here: secret OLD_TOKEN",
    ):
        assert lack in told
    assert "GITHUB_TOKEN" not in told


def test_a_ruleset_protects_a_branch_as_well(github: ActionsServer, root: Path) -> None:
    github.settings["/rules/branches/main"] = [
        {"type": "non_fast_forward", "ruleset_id": 1, "ruleset_source": NAME},
        {"type": "pull_request", "parameters": {"required_approving_review_count": 1}, "ruleset_id": 1},
        {
            "type": "required_status_checks",
            "parameters": {"required_status_checks": [{"context": "build"}, {"context": "test"}]},
            "ruleset_id": 1,
        },
    ]
    rules = config(root)["host"]["branch"]
    assert rules == {
        "branch": "main",
        "protected": True,
        "required_checks": ["build", "test"],
        "approvals": 1,
        "force_push": False,
        "rulesets": ["1", NAME],
    }
    assert [line for line in lacks(root) if line.startswith("branch ")] == []


def test_a_protected_branch_without_checks_or_reviews_lacks_those(github: ActionsServer, root: Path) -> None:
    github.settings["/branches/main"] = {"name": "main", "protected": True, "protection": {"enabled": True}}
    github.settings["/branches/main/protection"] = {"allow_force_pushes": {"enabled": True}}
    told = [line for line in lacks(root) if line.startswith("branch main")]
    assert told == [
        "branch main: no check is required before a merge",
        "branch main: no review is required before a merge",
        "branch main: its history can be rewritten (force pushes are allowed)",
    ]


def test_an_environment_that_only_files_name_is_said_to_be_unprotected(
    github: ActionsServer, root: Path
) -> None:
    assert any("the environment live is not on the host" in line for line in lacks(root))


def test_what_a_token_may_not_read_is_named_and_claimed_of_nobody(github: ActionsServer, root: Path) -> None:
    for path in (
        "/environments",
        "/actions/secrets",
        "/actions/variables",
        "/actions/permissions",
        "/actions/permissions/workflow",
        "/branches/main/protection",
    ):
        github.settings[path] = 403
    github.settings["/branches/main"] = {"name": "main", "protected": True, "protection": {"enabled": True}}
    told = config(root)
    unknown = "\n".join(told["host"]["unknown"])
    for what in ("environments", "secrets", "variables", "permissions of Actions", "protection of main"):
        assert what in unknown
    assert (told["host"]["secrets"], told["host"]["branch"]["force_push"]) == (None, None)
    claims = [line for line in lacks(root) if "host" in line or "environment" in line or "history" in line]
    assert claims == []


@pytest.mark.parametrize("fault", ["away", "500", "unauthorized"])
def test_a_host_that_cannot_be_asked_leaves_the_files(
    github: ActionsServer, root: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if fault == "away":
        github.hang_up()
    else:
        github.faults.append(Fault("GET", status=500 if fault == "500" else 401))
    told = config(root)
    assert [one["name"] for one in told["workflows"]] == ["CI"]
    assert told["host"] is None
    assert told["host_problem"].startswith("could not look at the repository at http")
    assert run(["pipeline", "show"]) == 0
    said = capsys.readouterr().out
    assert "the host was not asked: could not look at the repository" in said
    assert ".github/workflows/ci.yml" in said


@pytest.mark.parametrize(
    "odd",
    [
        {"/environments": [{"name": "live", "protection_rules": "x"}]},
        {
            "/environments": [
                {"name": "live", "protection_rules": [{"type": "wait_timer", "wait_timer": "x"}]}
            ]
        },
        {"/branches/main": {"protected": True, "protection": 3}, "/branches/main/protection": [3]},
        {"/rules/branches/main": [{"type": "pull_request", "parameters": 3}]},
        {"/actions/permissions": {"enabled": {"a": 1}}},
    ],
)
def test_a_shape_that_github_never_sends_is_told_not_raised(
    github: ActionsServer, root: Path, odd: dict[str, Any]
) -> None:
    github.settings |= odd
    told = config(root)
    assert told["host_problem"] or told["host"]


def test_without_a_host_the_files_are_told_and_the_host_is_no_lack(root: Path) -> None:
    (root / "midas.toml").write_text('[project]\nname = "orders"\n')
    told = config(root)
    assert (told["host"], told["host_problem"][:30]) == (None, "no pipeline host is configured")
    assert all(line.startswith(".github/") for line in told["missing"])


def test_a_jenkins_is_held_against_its_own_files_only(root: Path) -> None:
    files = describe(FolderTree(root)).workflows
    jenkinsfile = files[0].model_copy(
        update={"file": "Jenkinsfile", "platform": "jenkins", "secrets": ("deploy-key",)}
    )
    host = HostConfig(host="orders on Jenkins", platform="jenkins", secrets=("other-key",))
    assert list(host_missing(host, [*files, jenkinsfile], ["live"])) == [
        "Jenkinsfile: the secret deploy-key is used, and the host has none of that name"
    ]


def test_show_tells_the_host(github: ActionsServer, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    well_kept(github)
    assert run(["pipeline", "show"]) == 0
    said = capsys.readouterr().out
    assert "environment live: approved by ana, team release; from main, release/*" in said
    assert "main: protected; required checks: test" in said
    assert run(["pipeline", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == config(root)
    assert github.writes == []


def test_another_agent_can_ask_for_it(github: ActionsServer, root: Path) -> None:
    well_kept(github)
    with DevOpsAgent.from_project(root) as agent:
        tool = next(tool for tool in agent_tools(agent) if tool.name == "get_pipeline_config")
        assert tool.invoke({}) == agent.get_pipeline_config()
