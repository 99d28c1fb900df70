"""A proposal on GitHub: branch, commit and pull request, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.adapters.pipelines import ProjectPipelines
from midas_devops.adapters.pipelines_github import github_name
from midas_devops.adapters.pipelines_local import BRANCH
from midas_devops.config import Settings, Tracker
from midas_devops.errors import BlockedError, ConfigError, ToolError, UsageError
from tests.pipelines.github_server import NAME, GitHubServer, serving
from tests.pipelines.test_repositories import needs_validators
from tests.projects import commit, git, project, write

pytestmark = needs_validators

CI = ".github/workflows/ci.yml"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return project(
        tmp_path / "clone", {"requirements.txt": "pytest\n", "tests/test_a.py": "def test_a(): pass\n"}
    )


@pytest.fixture
def github(clone: Path, tmp_path: Path) -> Iterator[GitHubServer]:
    git(tmp_path, "clone", "-q", "--bare", str(clone), "bare")
    git(clone, "remote", "add", "origin", str(tmp_path / "bare"))
    with serving(tmp_path / "bare") as server:
        yield server


def host_on(github: GitHubServer, tmp_path: Path) -> ProjectPipelines:
    settings = Settings(tracker=Tracker(using="github", api_url=github.url))
    return ProjectPipelines(tmp_path, settings, {"GITHUB_TOKEN": "token-for-tests"})


@pytest.fixture
def host(github: GitHubServer, tmp_path: Path) -> ProjectPipelines:
    return host_on(github, tmp_path)


@pytest.mark.parametrize("url", [NAME, f"https://127.0.0.1/{NAME}", f"git@127.0.0.1:{NAME}.git"])
def test_a_proposal_is_a_pull_request_with_files_and_reasons(
    host: ProjectPipelines, github: GitHubServer, url: str
) -> None:
    proposal = host.plan(url, {})
    result = host.propose(proposal, run_id="run-1")

    assert (result.changed, result.branch, result.url) == (
        True,
        BRANCH,
        f"https://github.example/{NAME}/pull/1",
    )
    assert github.git("diff", "--name-status", f"main..{BRANCH}") == f"A\t{CI}"
    assert github.git("show", f"{BRANCH}:{CI}") + "\n" == proposal.files[0].text
    assert github.git("show", f"{BRANCH}:tests/test_a.py") == "def test_a(): pass"
    pull = github.pulls[0]
    assert pull["base"]["ref"] == "main"
    assert f"| `{CI}` | +{len(proposal.files[0].text.splitlines())} |" in pull["body"]
    assert "- python: pip (requirements.txt)" in pull["body"]


def test_planning_writes_nothing(host: ProjectPipelines, github: GitHubServer) -> None:
    host.plan(NAME, {})
    assert github.writes == []


def test_the_same_input_again_writes_nothing_and_finds_the_pull_request(
    host: ProjectPipelines, github: GitHubServer
) -> None:
    first = host.propose(host.plan(NAME, {}), run_id="run-1")
    github.writes.clear()
    again = host.plan(NAME, {})

    assert host.propose(again, run_id="run-2").url == first.url
    found = host.find(again)
    assert found is not None
    assert (found.url, found.changed, github.writes) == (first.url, False, [])


@pytest.mark.parametrize("cut", ["POST /git/commits", "POST /git/refs", "POST /pulls"])
def test_a_proposal_that_was_cut_off_is_finished_by_the_next_one(
    host: ProjectPipelines, github: GitHubServer, cut: str
) -> None:
    proposal = host.plan(NAME, {})
    github.fail_on = cut
    with pytest.raises(ToolError, match=r"propose a pipeline to acme/orders.*502"):
        host.propose(proposal, run_id="run-1")
    github.fail_on = ""

    assert host.find(proposal) is None
    assert host.propose(proposal, run_id="run-1").changed
    assert len(github.pulls) == 1
    assert github.git("rev-list", "--count", f"main..{BRANCH}") == "1"


def test_another_input_moves_the_branch_forward_and_keeps_the_pull_request(
    host: ProjectPipelines, github: GitHubServer
) -> None:
    first = host.propose(host.plan(NAME, {}), run_id="run-1")
    second = host.propose(host.plan(NAME, {"timeout_minutes": 7}), run_id="run-2")

    assert second.url == first.url
    assert github.git("rev-parse", f"{BRANCH}^") == first.commit
    assert len(github.pulls) == 1


def test_a_pull_request_that_somebody_closed_is_not_opened_again(
    host: ProjectPipelines, github: GitHubServer
) -> None:
    host.propose(host.plan(NAME, {}), run_id="run-1")
    github.pulls[0]["state"] = "closed"

    again = host.propose(host.plan(NAME, {}), run_id="run-2")

    assert (again.changed, again.detail, len(github.pulls)) == (
        False,
        "proposed before, and closed by somebody",
        1,
    )


def test_what_somebody_pushed_to_the_proposal_is_not_overwritten(
    host: ProjectPipelines, github: GitHubServer, clone: Path
) -> None:
    host.propose(host.plan(NAME, {}), run_id="run-1")
    git(clone, "fetch", "-q", "origin", BRANCH)
    git(clone, "switch", "-q", "-c", BRANCH, "FETCH_HEAD")
    write(clone, {CI: "name: mine\n"})
    mine = commit(clone, "mine")
    git(clone, "push", "-q", "origin", BRANCH)

    with pytest.raises(BlockedError, match="changed by somebody"):
        host.propose(host.plan(NAME, {}), run_id="run-2")
    assert github.git("rev-parse", BRANCH) == mine


def test_a_branch_of_that_name_with_nothing_of_ours_is_somebodys_own(
    host: ProjectPipelines, github: GitHubServer, clone: Path
) -> None:
    git(clone, "switch", "-q", "-c", BRANCH)
    write(clone, {"notes.txt": "a pipeline, some day\n"})
    theirs = commit(clone, "notes")
    git(clone, "push", "-q", "origin", BRANCH)
    proposal = host.plan(NAME, {})

    for attempt in (lambda: host.check(proposal), lambda: host.propose(proposal, run_id="run-1")):
        with pytest.raises(BlockedError, match="somebody's own work") as refused:
            attempt()
        assert refused.value.exit_code == 4
    assert (github.git("rev-parse", BRANCH), github.writes, github.pulls) == (theirs, [], [])


def test_a_pipeline_that_stands_there_is_left_alone(
    host: ProjectPipelines, github: GitHubServer, clone: Path
) -> None:
    write(clone, {CI: "name: theirs\n"})
    commit(clone, "their pipeline")
    git(clone, "push", "-q", "origin", "main")

    proposal = host.plan(NAME, {})

    assert proposal.files[0].exists
    assert not host.propose(proposal, run_id="run-1").changed
    assert github.writes == []


def test_a_tree_that_github_cuts_is_an_error_not_half_a_pipeline(
    host: ProjectPipelines, github: GitHubServer
) -> None:
    github.truncated = True
    with pytest.raises(ToolError, match="only a part"):
        host.plan(NAME, {})


def test_a_repository_that_is_not_there_and_an_outage_are_errors_that_say_so(
    host: ProjectPipelines, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=r"could not read acme/other .*404"):
        host.plan("acme/other", {})
    away = Settings(tracker=Tracker(using="github", api_url="http://127.0.0.1:9"))
    with pytest.raises(ToolError, match="could not read acme/orders"):
        ProjectPipelines(tmp_path, away, {"GITHUB_TOKEN": "x"}).plan(NAME, {})


def test_without_a_token_it_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="GITHUB_TOKEN"):
        ProjectPipelines(tmp_path, Settings(tracker=Tracker(using="github")), {}).plan(NAME, {})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/orders/", NAME),
        ("ssh://git@github.com/acme/orders.git", NAME),
        ("https://user:pw@github.com/acme/orders.git", NAME),
        ("git@github.com:acme/orders.git", NAME),
        ("https://gitlab.com/acme/orders", ""),
        ("https://github.com.evil.example/acme/orders", ""),
        ("https://github.com/acme", ""),
        ("https://github.com/acme/orders/tree/main", ""),
        ("../orders", ""),
        ("acme/../orders", ""),
    ],
)
def test_names_are_read_from_urls(url: str, name: str) -> None:
    assert github_name(url, "https://api.github.com") == name


def test_a_url_of_another_kind_is_a_usage_error(host: ProjectPipelines) -> None:
    with pytest.raises(UsageError):
        host.plan("svn://example.org/x", {})


def test_after_the_merged_file_was_deleted_it_is_proposed_afresh(
    host: ProjectPipelines, github: GitHubServer, clone: Path
) -> None:
    first = host.propose(host.plan(NAME, {}), run_id="run-1")
    git(clone, "pull", "-q", "--no-edit", "origin", BRANCH)
    git(clone, "rm", "-q", CI)
    head = commit(clone, "away with it")
    git(clone, "push", "-q", "origin", "main")
    github.pulls[0] |= {"state": "closed", "merged_at": "2026-01-01T00:00:00Z"}
    proposal = host.plan(NAME, {})

    assert host.find(proposal) is None
    second = host.propose(proposal, run_id="run-2")

    assert (second.changed, len(github.pulls)) == (True, 2)
    assert second.commit != first.commit
    assert github.git("rev-parse", f"{BRANCH}^") == head
