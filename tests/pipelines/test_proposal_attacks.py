"""What could make a proposal overwrite, half-do or invent something: none of it does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, DictLoader

from midas_devops.adapters.git_command import Git
from midas_devops.adapters.pipelines import ProjectPipelines
from midas_devops.adapters.pipelines_local import BRANCH, CommitTree
from midas_devops.config import Settings
from midas_devops.errors import BlockedError, MidasError, ToolError, UsageError
from midas_devops.interfaces.cli.main import run
from midas_devops.pipelines import rendering
from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.tree import MOST_BYTES, FolderTree
from midas_devops.ports.pipeline import ProposalResult
from tests.pipelines.cases import case, cases
from tests.pipelines.test_repositories import needs_validators
from tests.projects import REPOSITORY, commit, git, project, write

CI = ".github/workflows/ci.yml"
FILES = {
    "requirements.txt": "pytest\n",
    "test_app.py": "def test_a(): pass\n",
    "midas.toml": "",
    ".gitignore": ".midas/\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return project(tmp_path / "repository", FILES)


@pytest.fixture
def host(tmp_path: Path) -> ProjectPipelines:
    return ProjectPipelines(tmp_path, Settings(), {})


@needs_validators
def test_on_a_detached_head_the_proposal_is_beside_that_commit(
    host: ProjectPipelines, repository: Path
) -> None:
    first = git(repository, "rev-parse", "HEAD")
    write(repository, {"go.mod": "module example.org/x\n"})
    commit(repository, "second")
    git(repository, "switch", "-q", "--detach", first)
    result = host.propose(host.plan(str(repository), {}), run_id="r")
    assert git(repository, "rev-parse", f"{result.commit}^") == first
    assert git(repository, "rev-parse", "HEAD") == first


@needs_validators
def test_a_branch_of_that_name_with_somebodys_own_work_is_not_added_to(
    host: ProjectPipelines, repository: Path
) -> None:
    git(repository, "switch", "-q", "-c", BRANCH)
    write(repository, {"notes.md": "mine\n"})
    mine = commit(repository, "mine")
    git(repository, "switch", "-q", "main")
    proposal = host.plan(str(repository), {})
    for attempt in (host.check, lambda p: host.propose(p, run_id="r")):
        with pytest.raises(BlockedError, match="somebody's own work"):
            attempt(proposal)
    assert git(repository, "rev-parse", BRANCH) == mine


@needs_validators
def test_a_branch_name_that_git_cannot_hold_is_said_and_nothing_is_left(
    host: ProjectPipelines, repository: Path
) -> None:
    git(repository, "branch", "midas-devops")
    refs = git(repository, "for-each-ref")
    with pytest.raises(ToolError, match=f"create the branch {BRANCH}"):
        host.propose(host.plan(str(repository), {}), run_id="r")
    assert git(repository, "for-each-ref") == refs


@needs_validators
def test_a_repository_that_is_gone_since_the_plan_is_said_to_be(
    host: ProjectPipelines, repository: Path
) -> None:
    proposal = host.plan(str(repository), {})
    shutil.rmtree(repository)
    with pytest.raises(UsageError, match="there is no folder"):
        host.propose(proposal, run_id="r")


@needs_validators
@pytest.mark.parametrize("same", [True, False])
def test_of_two_at_once_one_proposes_and_the_other_sees_it(
    host: ProjectPipelines, repository: Path, same: bool
) -> None:
    proposals = [host.plan(str(repository), {"timeout_minutes": 7 if same else 7 + n}) for n in range(4)]
    together = threading.Barrier(len(proposals))
    results: list[ProposalResult | MidasError] = []

    def propose(number: int) -> None:
        together.wait(30)
        try:
            results.append(host.propose(proposals[number], run_id=f"run-{number}"))
        except MidasError as refused:
            results.append(refused)

    threads = [threading.Thread(target=propose, args=(n,)) for n in range(len(proposals))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    made = [one for one in results if isinstance(one, ProposalResult)]
    refused = [one for one in results if not isinstance(one, ProposalResult)]
    assert len(made) + len(refused) == len(proposals)
    assert all(isinstance(one, BlockedError) for one in refused), refused
    assert sum(one.changed for one in made) >= 1
    commits = git(repository, "rev-list", f"main..{BRANCH}").splitlines()
    # Nobody's commit was lost: each that was reported as made is on the branch.
    assert {one.commit for one in made} <= set(commits)
    if same:
        assert len(commits) == 1
        assert refused == []
    assert git(repository, "fsck", "--strict", "--no-dangling") == ""


@needs_validators
def test_killed_before_the_branch_moved_it_is_proposed_once_by_the_resumed_run(repository: Path) -> None:
    # git itself ends its caller: as if the machine were lost between the commit and the branch.
    place = repository.parent / "bin"
    real = shutil.which("git")
    deadly = 'case " $* " in *" update-ref "*) kill -9 $PPID; exit 1;; esac'
    write(place, {"git": f'#!/bin/sh\n{deadly}\nexec {real} "$@"\n'})
    (place / "git").chmod(0o755)
    program = [sys.executable, "-m", "midas_devops", "--project", str(repository)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    before = git(repository, "for-each-ref"), git(repository, "worktree", "list")
    ended = subprocess.run(
        [*program, "pipeline", "setup", str(repository), "--json"],
        env=environment | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert (git(repository, "for-each-ref"), git(repository, "worktree", "list")) == before

    def ask(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [*program, *arguments, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        told: dict[str, object] = json.loads(done.stdout)
        return told

    runs = ask("runs", "list")["runs"]
    assert isinstance(runs, list)
    assert ask("runs", "resume", runs[0]["run_id"])["status"] == "succeeded"
    assert len(git(repository, "rev-list", f"main..{BRANCH}").splitlines()) == 1


@pytest.fixture
def broken_templates() -> Iterator[None]:
    """Templates as a bad edit of ours would leave them: valid text, no valid pipeline."""
    environment = rendering._environment()
    loader = environment.loader
    assert loader is not None
    spoiled = {
        "github/checkout.yml.j2": "      - uses: actions/checkout@v5\n",
        "jenkins/component.j2": "        stage('x') { step { sh 'make' } }\n",
    }
    environment.loader = ChoiceLoader([DictLoader(spoiled), loader])
    assert environment.cache is not None
    environment.cache.clear()
    yield
    environment.loader = loader
    environment.cache.clear()


@needs_validators
@pytest.mark.parametrize(
    ("platform", "validator"), [("github-actions", "zizmor"), ("jenkins", "the structural check")]
)
@pytest.mark.usefixtures("broken_templates")
def test_a_pipeline_that_does_not_validate_is_never_proposed(
    repository: Path, capsys: pytest.CaptureFixture[str], platform: str, validator: str
) -> None:
    refs = git(repository, "for-each-ref")
    code = run(
        ["--project", str(repository), "pipeline", "setup", str(repository), "--platform", platform, "--json"]
    )
    shown = capsys.readouterr().out
    assert code == 1
    assert f"does not pass {validator}" in shown
    assert json.loads(shown)["effects"] == []
    assert git(repository, "for-each-ref") == refs


@pytest.mark.parametrize("name", [one.folder.name for one in cases()])
def test_a_commit_is_detected_as_its_folder_is(name: str, tmp_path: Path) -> None:
    """Links, odd bytes and all: what git holds and what stands in the folder say the same."""
    shutil.copytree(case(name).tree, tmp_path / "copy", symlinks=True)
    write(tmp_path / "copy", {".gitkeep": ""})
    project(tmp_path / "copy", {})
    tree = CommitTree(Git(tmp_path / "copy"), "HEAD")
    assert detect(tree) == detect(FolderTree(tmp_path / "copy"))


def test_a_huge_file_is_read_as_far_as_a_manifest_reaches(tmp_path: Path) -> None:
    rest = "# padding\n" * (4 * MOST_BYTES // 10)
    root = project(
        tmp_path / "huge",
        {
            "pyproject.toml": f'[project]\nname = "x"\n{rest}',
            "test_a.py": "",
            "data.tf": rest,
            "go.mod": rest,
        },
    )
    for tree in (FolderTree(root), CommitTree(Git(root), "HEAD")):
        assert len(tree.read("data.tf")) == MOST_BYTES
        found = detect(tree)
        assert {part.language for part in found.components} == {"python", "go"}
