"""The demo's project: three tags in a repository of its own, and nothing of anybody else's touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.config import load_settings
from midas_devops.errors import ToolError, UsageError
from midas_devops.interfaces.demo.project import create_project
from midas_devops.interfaces.demo.services import services_of, stop_services


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_project_is_a_clean_repository_with_three_tags(tmp_path: Path) -> None:
    project = create_project(tmp_path / "demo")
    assert git(project.folder, "tag").split() == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert git(project.folder, "status", "--porcelain") == ""
    assert git(project.folder, "rev-parse", "HEAD") == project.commits["v1.0.0"]
    assert "no such column" in (project.folder / "docs" / "runbook.md").read_text()
    assert not (project.folder / "versions").exists()


def test_each_tag_changes_what_its_story_says(tmp_path: Path) -> None:
    project = create_project(tmp_path / "demo")
    first = git(project.folder, "diff", "--name-only", "v1.0.0", "v1.1.0").split()
    second = git(project.folder, "diff", "--name-only", "v1.1.0", "v1.2.0").split()
    assert "orders/schema.sql" in first
    assert not any(path.startswith("infra/") for path in first)
    assert second == ["infra/production/main.tf"]


def test_ports_and_data_folder_fit_in_all_files(tmp_path: Path) -> None:
    project = create_project(tmp_path / "demo")
    settings = load_settings(project.folder / "midas.toml")
    assert len(set(project.ports.values())) == 2
    for environment, port in project.ports.items():
        deploy = settings.environments[environment].deploy
        assert deploy is not None
        assert deploy.using == "local"
        assert deploy.port == port
        assert str(project.folder / "data") in deploy.start
        variables = project.folder / "infra" / environment / "terraform.tfvars"
        assert variables.read_text() == f"port = {port}\n"


def test_the_persons_own_git_settings_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[user]\n\tname = Somebody Else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    project = create_project(tmp_path / "demo")
    monkeypatch.delenv("GIT_DIR")
    assert git(project.folder, "log", "-1", "--format=%an <%ae>") == "Demo Developer <demo@orders.example>"


def test_a_second_project_replaces_the_first(tmp_path: Path) -> None:
    first = create_project(tmp_path / "demo")
    (first.folder / "left-over").touch()
    assert not (create_project(tmp_path / "demo").folder / "left-over").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="something else is there"):
        create_project(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_without_git_it_says_so_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="git"):
        create_project(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_a_worktree_holds_exactly_its_tag(tmp_path: Path) -> None:
    project = create_project(tmp_path / "demo")
    tree = project.worktree("v1.1.0")
    assert git(tree, "rev-parse", "HEAD") == project.commits["v1.1.0"]
    assert project.worktree("v1.1.0") == tree
    assert git(project.folder, "status", "--porcelain") == ""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The example service on the data folder of a demo in ``tmp_path``."""
    create_project(tmp_path / "demo")
    argv = [sys.executable, "app.py", "--port", "0", "--data", str(tmp_path / "demo" / "data")]
    process = subprocess.Popen(argv, cwd=tmp_path / "demo", stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def wait_for(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 20
    while process.pid not in {found.pid for found in services_of(folder)}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_services_of_a_demo_are_found_and_stopped(
    tmp_path: Path, service: subprocess.Popen[bytes]
) -> None:
    wait_for(service, tmp_path / "demo")
    assert stop_services(tmp_path / "demo") == 1
    assert service.wait(10) is not None
    assert list(services_of(tmp_path / "demo")) == []


def test_the_services_of_another_demo_are_left_alone(
    tmp_path: Path, service: subprocess.Popen[bytes]
) -> None:
    wait_for(service, tmp_path / "demo")
    assert stop_services(tmp_path / "dem") == 0
    assert service.poll() is None


def test_a_new_project_in_the_same_folder_stops_the_services_of_the_old_one(
    tmp_path: Path, service: subprocess.Popen[bytes]
) -> None:
    wait_for(service, tmp_path / "demo")
    create_project(tmp_path / "demo")
    assert service.wait(10) is not None


def test_the_example_is_found_in_the_package_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from midas_devops.interfaces.demo import project

    packaged = tmp_path / "midas_devops" / "_examples" / "orders"
    shutil.copytree(project.example_folder(), packaged)
    monkeypatch.setattr(project, "files", lambda _: tmp_path / "midas_devops")
    assert project.example_folder() == packaged
