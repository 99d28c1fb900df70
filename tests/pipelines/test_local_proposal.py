"""A proposal to a folder is a branch; the person's tree, index and branches stay as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from midas_devops.adapters.pipelines import ProjectPipelines
from midas_devops.adapters.pipelines_local import BRANCH
from midas_devops.config import Settings
from midas_devops.errors import BlockedError, UsageError
from midas_devops.ports.pipeline import PipelineProposal
from tests.pipelines.test_repositories import needs_validators
from tests.projects import commit, git, project, write

pytestmark = needs_validators

CI = ".github/workflows/ci.yml"
FILES = {"requirements.txt": "pytest\n", "test_app.py": "def test_a(): pass\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return project(tmp_path / "repository", FILES)


@pytest.fixture
def host(tmp_path: Path) -> ProjectPipelines:
    return ProjectPipelines(tmp_path, Settings(), {})


def plan(host: ProjectPipelines, repository: Path, **details: object) -> PipelineProposal:
    return host.plan(str(repository), details)


def everything_of_the_person(repository: Path) -> dict[str, str]:
    """Files with their times, the index byte by byte, HEAD, every branch but ours, and git's own view."""
    seen = {
        str(path.relative_to(repository)): f"{path.stat().st_mtime_ns} {path.read_bytes()!r}"
        for path in sorted(repository.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(repository).parts
    }
    seen["index"] = hashlib.sha256((repository / ".git/index").read_bytes()).hexdigest()
    seen["HEAD"] = (repository / ".git/HEAD").read_text()
    refs = git(repository, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    seen["refs"] = "\n".join(line for line in refs if BRANCH not in line)
    seen["status"] = git(repository, "status", "--porcelain=v2")
    seen["worktrees"] = git(repository, "worktree", "list", "--porcelain")
    return seen


def test_a_proposal_is_a_branch_with_one_commit_of_one_file(host: ProjectPipelines, repository: Path) -> None:
    proposal = plan(host, repository)
    result = host.propose(proposal, run_id="run-1")

    assert (result.changed, result.branch) == (True, BRANCH)
    assert git(repository, "rev-parse", f"{BRANCH}^") == git(repository, "rev-parse", "HEAD")
    assert git(repository, "diff", "--name-status", f"HEAD..{BRANCH}") == f"A\t{CI}"
    assert git(repository, "show", f"{BRANCH}:{CI}") + "\n" == proposal.files[0].text
    message = git(repository, "log", "-1", "--format=%B", BRANCH)
    assert "python: pip (requirements.txt)" in message
    assert "Midas-Devops-Run: run-1" in message


def test_nothing_of_the_person_moves(host: ProjectPipelines, repository: Path) -> None:
    write(repository, {"test_app.py": "edited\n", "staged.py": "", "untracked.py": ""})
    git(repository, "add", "staged.py")
    hook = repository / ".git/hooks/reference-transaction"
    write(repository, {".git/hooks/reference-transaction": "#!/bin/sh\ntouch ran\nexit 1\n"})
    hook.chmod(0o755)
    git(repository, "status")
    before = everything_of_the_person(repository)

    assert host.propose(plan(host, repository), run_id="r").changed

    assert everything_of_the_person(repository) == before


def test_the_plan_is_of_the_commit_not_of_uncommitted_edits(host: ProjectPipelines, repository: Path) -> None:
    write(repository, {"go.mod": "module example.org/x\n"})
    assert not any("go.mod" in reason for reason in plan(host, repository).reasons)


def test_the_same_input_again_changes_nothing_and_finds_it(host: ProjectPipelines, repository: Path) -> None:
    first = host.propose(plan(host, repository), run_id="run-1")
    again = plan(host, repository)

    found = host.find(again)
    second = host.propose(again, run_id="run-2")

    assert found is not None
    assert (found.commit, found.changed) == (first.commit, False)
    assert (second.commit, second.changed) == (first.commit, False)
    assert git(repository, "rev-parse", BRANCH) == first.commit


def test_another_input_adds_a_commit_to_the_proposal(host: ProjectPipelines, repository: Path) -> None:
    first = host.propose(plan(host, repository), run_id="run-1")
    changed = plan(host, repository, timeout_minutes=7)

    assert host.find(changed) is None
    second = host.propose(changed, run_id="run-2")

    assert git(repository, "rev-parse", f"{second.commit}^") == first.commit
    assert "timeout-minutes: 7" in git(repository, "show", f"{BRANCH}:{CI}")


def test_what_somebody_changed_on_the_proposal_is_not_overwritten(
    host: ProjectPipelines, repository: Path
) -> None:
    host.propose(plan(host, repository), run_id="run-1")
    git(repository, "switch", "-q", BRANCH)
    write(repository, {CI: "name: mine\n"})
    mine = commit(repository, "mine")
    git(repository, "switch", "-q", "main")

    with pytest.raises(BlockedError, match="changed by somebody"):
        host.propose(plan(host, repository), run_id="run-2")
    assert git(repository, "rev-parse", BRANCH) == mine


def test_a_branch_that_is_checked_out_is_not_moved(host: ProjectPipelines, repository: Path) -> None:
    host.propose(plan(host, repository), run_id="run-1")
    changed = plan(host, repository, timeout_minutes=7)
    git(repository, "switch", "-q", BRANCH)
    at = git(repository, "rev-parse", "HEAD")
    git(repository, "reset", "-q", "--soft", "main")  # the branch is at main again, and still checked out

    with pytest.raises(BlockedError, match="checked out"):
        host.propose(changed, run_id="run-2")
    assert git(repository, "rev-parse", BRANCH) != at


@pytest.mark.parametrize("name", [CI, ".github/workflows/ci.yaml"])
def test_a_pipeline_that_stands_there_is_left_alone(
    host: ProjectPipelines, repository: Path, name: str
) -> None:
    write(repository, {name: "name: theirs\n"})
    commit(repository, "their pipeline")
    proposal = plan(host, repository)

    assert [file.exists for file in proposal.files] == [True]
    assert [file.instead for file in proposal.files] == [name]
    assert f"{name} stands there already: it is left alone" in proposal.reasons
    assert not [reason for reason in proposal.reasons if "passes" in reason]
    result = host.propose(proposal, run_id="run-1")
    assert (result.changed, result.branch) == (False, "")
    assert git(repository, "branch", "--list", BRANCH) == ""


def test_a_pipeline_that_came_between_plan_and_proposal_is_left_alone(
    host: ProjectPipelines, repository: Path
) -> None:
    proposal = plan(host, repository)
    write(repository, {CI: "name: theirs\n"})
    commit(repository, "their pipeline")

    with pytest.raises(BlockedError, match="since it was planned"):
        host.propose(proposal, run_id="run-1")


def test_a_merged_proposal_is_done(host: ProjectPipelines, repository: Path) -> None:
    host.propose(plan(host, repository), run_id="run-1")
    git(repository, "merge", "-q", BRANCH)
    proposal = plan(host, repository)
    assert [file.exists for file in proposal.files] == [True]
    assert "exactly what would be proposed" in proposal.reasons[0]


def test_after_the_merged_file_was_deleted_it_is_proposed_afresh(
    host: ProjectPipelines, repository: Path
) -> None:
    host.propose(plan(host, repository), run_id="run-1")
    git(repository, "merge", "-q", BRANCH)
    git(repository, "rm", "-q", CI)
    head = commit(repository, "away with it")

    assert host.propose(plan(host, repository), run_id="run-2").changed
    assert git(repository, "rev-parse", f"{BRANCH}^") == head


def test_a_bare_repository_and_a_file_url_work(
    host: ProjectPipelines, repository: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "bare"))
    proposal = host.plan((tmp_path / "bare").as_uri(), {})
    assert host.propose(proposal, run_id="run-1").changed
    assert git(tmp_path / "bare", "cat-file", "-t", f"{BRANCH}:{CI}") == "blob"


def test_a_folder_without_a_commit_or_inside_of_a_repository_is_an_error(
    host: ProjectPipelines, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no git repository with a commit"):
        plan(host, tmp_path / "empty")
    (repository / "sub").mkdir()
    with pytest.raises(UsageError, match="lies inside the repository"):
        plan(host, repository / "sub")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("acme/orders", "GitHub is not configured"),
        ("https://github.com/acme/orders.git", "GitHub is not configured"),
        ("no such thing", "names no repository"),
        ("", "names no repository"),
    ],
)
def test_what_is_no_folder_needs_github(host: ProjectPipelines, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        host.plan(url, {})


def test_an_environment_that_midas_toml_does_not_know_is_an_error(
    host: ProjectPipelines, repository: Path
) -> None:
    write(repository, {"midas.toml": '[environments.staging]\nkind = "staging"\n'})
    commit(repository, "settings")
    with pytest.raises(UsageError) as refused:
        plan(host, repository, environments=[{"name": "stagin"}])
    assert "'staging'" in refused.value.hint
