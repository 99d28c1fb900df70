"""git as a source: real repositories, and what their owners' machines do to them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from midas_devops.adapters.git import GitSource
from midas_devops.adapters.git_tree import unpack
from midas_devops.errors import StorageError, ToolError, UsageError
from midas_devops.testing.source import HISTORY, Build, FakeSource, SourceConformance, Step, tree

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, steps: Sequence[Step], project: str = "") -> Path:
    """A real repository with this history, its files in the folder ``project``."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    root = folder / project
    root.mkdir(parents=True, exist_ok=True)
    for step in steps:
        for name in tree(root) if not (root / ".git").exists() else _tracked(root):
            (root / name).unlink()
        for name, text in step.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, "utf-8")
        git(folder, "add", "-A", ".")
        git(folder, "commit", "-q", "--allow-empty", "-m", step.subject)
        for tag in step.tags:
            git(folder, "tag", tag)
        if step.branch:
            git(folder, "branch", step.branch)
    return root


def _tracked(root: Path) -> list[str]:
    return [name for name in git(root, "ls-files", "-z").split("\0") if name]


class TestGitSource(SourceConformance):
    @pytest.fixture(params=["", "services/orders ü"], ids=["whole-repository", "subfolder"])
    def build(self, request: pytest.FixtureRequest, tmp_path: Path) -> Build:
        """The project is the repository, or a folder in it whose name has a space and an umlaut."""
        return lambda steps: GitSource(repository(tmp_path / "a repository", steps, request.param))


class TestFakeSource(SourceConformance):
    @pytest.fixture
    def build(self) -> Build:
        return FakeSource


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "project", HISTORY)


# names


def test_an_annotated_tag_is_its_commit_and_wins_over_a_branch_of_its_name(root: Path) -> None:
    git(root, "tag", "-a", "-m", "notes", "v2.0.0", "HEAD~1")
    git(root, "branch", "v2.0.0", "HEAD")
    assert GitSource(root).resolve("v2.0.0").sha == git(root, "rev-parse", "HEAD~1")


def test_a_branch_that_only_the_remote_has_is_found_in_a_clone(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(root), "clone")
    clone = GitSource(tmp_path / "clone")
    assert (
        clone.resolve("stable").sha == clone.resolve("origin/stable").sha == git(root, "rev-parse", "stable")
    )


def test_a_branch_whose_name_has_a_slash_is_found(root: Path) -> None:
    git(root, "branch", "feature/one", "HEAD~1")
    assert GitSource(root).resolve("feature/one").subject == "Say more"


def test_a_tag_that_is_no_commit_is_refused(root: Path) -> None:
    git(root, "tag", "blob", "HEAD:app.py")
    with pytest.raises(UsageError):
        GitSource(root).resolve("blob")


@pytest.mark.parametrize("version", ["HEAD~1", "main@{yesterday}", ":/Begin", "v1.*"])
def test_what_is_no_name_is_refused_although_git_would_take_it(root: Path, version: str) -> None:
    with pytest.raises(UsageError):
        GitSource(root).resolve(version)


@pytest.mark.parametrize(("asked", "hint"), [("1.1.0", "v1.1.0"), ("V1.0.0", "v1.0.0"), ("stabel", "stable")])
def test_a_slip_is_answered_with_the_name_that_was_meant(root: Path, asked: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        GitSource(root).resolve(asked)
    assert f"did you mean {hint}" in refused.value.hint


def test_a_shallow_clone_says_that_it_is_one(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{root}", "shallow")
    with pytest.raises(UsageError) as refused:
        GitSource(tmp_path / "shallow").resolve("0123456789")
    assert "--unshallow" in refused.value.hint


def test_the_highest_version_on_a_commit_is_its_name(root: Path) -> None:
    for tag in ("v1.9.0", "v1.10.0"):
        git(root, "tag", tag, "stable")
    assert GitSource(root).resolve("stable").version == "v1.10.0"


# what the machine does


def test_a_folder_in_no_repository_is_a_clear_error(tmp_path: Path) -> None:
    source = GitSource(tmp_path)
    assert not source.available()
    assert source.head() == ""
    with pytest.raises(UsageError) as refused:
        source.resolve("v1.0.0")
    assert "no git repository" in refused.value.message
    assert "git init" in refused.value.hint


def test_a_repository_without_commits_is_a_clear_error(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError) as refused:
        GitSource(tmp_path).resolve("main")
    assert "no commit yet" in refused.value.message


def test_without_git_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    source = GitSource(root)
    assert not source.available()
    with pytest.raises(ToolError) as refused:
        source.resolve("v1.0.0")
    assert "install git" in refused.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_user_is_refused_with_the_way_to_trust_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "empty"))
    for path in [root, *root.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert not GitSource(root).available()
    with pytest.raises(ToolError) as refused:
        GitSource(root).resolve("v1.0.0")
    assert "safe.directory" in refused.value.hint


def test_variables_of_a_running_git_hook_do_not_lead_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", [Step("Other", {"other.txt": "other"})])
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert GitSource(root).resolve("v1.1.0").subject == "Grow"


def test_the_users_configuration_changes_no_answer(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[log]\nshowSignature = true\nshowRoot = false\ndecorate = full\n[core]\nabbrev = 40\npager = false\n"
        "quotePath = true\n[i18n]\nlogOutputEncoding = latin1\n[status]\nshowUntrackedFiles = no\n"
        "[diff]\nrenames = copies\nexternal = false\n[color]\nui = always\n[tag]\nsort = taggerdate\n"
    )
    (root / "infra" / "new ü.tf").write_text("new")
    plain = _everything(root, tmp_path / "plain")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert _everything(root, tmp_path / "configured") == plain


def _everything(root: Path, into: Path) -> list[object]:
    source = GitSource(root)
    source.export(source.head(), into)
    start = source.resolve("v1.0.0").sha
    paths = [source.commit_of_path(path) for path in ("infra", "docs")]
    return [source.resolve("stable"), source.between(start, source.head()), paths, tree(into)]


def test_replaced_objects_do_not_change_what_a_commit_is(root: Path, tmp_path: Path) -> None:
    git(root, "replace", "v1.1.0", "v1.0.0")
    GitSource(root).export(git(root, "rev-parse", "v1.1.0"), tmp_path / "out")
    assert (tmp_path / "out" / "app.py").read_text() == "3"


# export


def test_export_keeps_what_is_executable_and_links_inside(root: Path, tmp_path: Path) -> None:
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "current").symlink_to("infra/main.tf")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Run")
    before = os.umask(0o077)
    try:
        GitSource(root).export(GitSource(root).head(), tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out" / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out" / "app.py").stat().st_mode) == 0o644
    assert (tmp_path / "out" / "current").read_text() == "two"
    assert not (tmp_path / "out" / ".git").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "infra/../../outside"])
def test_a_link_that_leads_outside_is_refused_and_nothing_is_left(
    root: Path, tmp_path: Path, target: str
) -> None:
    (root / "leak").symlink_to(target)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Leak")
    with pytest.raises(ToolError) as refused:
        GitSource(root).export(GitSource(root).head(), tmp_path / "out")
    assert "leak" in refused.value.message
    assert not (tmp_path / "out").exists()


def test_a_link_to_another_folder_of_the_same_repository_is_kept(tmp_path: Path) -> None:
    root = repository(tmp_path / "repository", HISTORY, "services/orders")
    (root / "docs" / "readme").symlink_to("../../../README.md")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Link")
    GitSource(root).export(GitSource(root).head(), tmp_path / "out")
    assert str((tmp_path / "out" / "docs" / "readme").readlink()) == "../../../README.md"
    (root / "docs" / "leak").symlink_to("../../../../outside")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Leak")
    with pytest.raises(ToolError):
        GitSource(root).export(GitSource(root).head(), tmp_path / "second")


@pytest.mark.parametrize("subfolder", ["..", "../other", "/etc", "infra/../.."])
def test_a_folder_outside_of_the_project_is_refused(root: Path, tmp_path: Path, subfolder: str) -> None:
    with pytest.raises(UsageError):
        GitSource(root).export(GitSource(root).head(), tmp_path / "out", subfolder=subfolder)


def test_a_project_that_did_not_exist_in_a_commit_is_a_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    root = repository(folder, [Step("Begin", {"app.py": "1"})], "services/orders")
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "mv", "services/orders", "services/shop")
    git(folder, "commit", "-q", "-m", "Move")
    moved = GitSource(folder / "services" / "shop")
    with pytest.raises(ToolError) as refused:
        moved.export(first, tmp_path / "out")
    assert "services/shop" in refused.value.message
    assert not root.exists()


def test_what_the_disk_refuses_is_a_storage_error_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("a file")
    with pytest.raises(StorageError) as refused:
        GitSource(root).export(GitSource(root).head(), occupied / "out")
    assert str(occupied) in refused.value.location


def test_a_damaged_repository_is_reported_with_gits_words(root: Path, tmp_path: Path) -> None:
    blob = git(root, "rev-parse", "HEAD:app.py")
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(ToolError) as refused:
        GitSource(root).export(GitSource(root).head(), tmp_path / "out")
    assert blob in refused.value.message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_an_archive_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolError):
        unpack(_archive([(name, tarfile.REGTYPE, "")]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_writes_through_its_own_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        unpack(_archive([("a", tarfile.SYMTYPE, "b"), ("a/evil", tarfile.REGTYPE, "")]), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_an_archive_of_anything_but_files_folders_and_links_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ToolError):
        unpack(_archive([("device", kind, "elsewhere")]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def _archive(members: list[tuple[str, bytes, str]]) -> BytesIO:
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            archive.addfile(member)
    return BytesIO(stream.getvalue())


# history


def test_many_commits_and_files_are_counted_and_the_lists_bounded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midas_devops.adapters.git._MOST_FILES", 200)
    start = GitSource(root).head()
    for number in range(60):
        for inner in range(4):
            (root / f"file-{number}-{inner}").write_text("x")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", f"Change {number}")
    between = GitSource(root).between(start, GitSource(root).head())
    assert (len(between.commits), between.commits_total) == (50, 60)
    assert (len(between.files), between.files_total) == (200, 240)
    assert between.commits[0].endswith("Change 59")


def test_a_commit_without_files_is_one_of_the_commits_in_between(root: Path) -> None:
    start = GitSource(root).head()
    git(root, "commit", "-q", "--allow-empty", "-m", "Build again")
    between = GitSource(root).between(start, GitSource(root).head())
    assert [line.split(" ", 1)[1] for line in between.commits] == ["Build again"]
    assert (between.commits_total, between.files) == (1, ())


def test_between_diverged_branches_is_not_older(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "side", "v1.0.0")
    (root / "side.txt").write_text("side")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Aside")
    source = GitSource(root)
    between = source.between(source.resolve("v1.1.0").sha, source.resolve("side").sha)
    assert [line.split(" ", 1)[1] for line in between.commits] == ["Aside"]
    assert not between.is_older


def test_a_start_that_this_repository_does_not_have_counts_as_empty(root: Path) -> None:
    source = GitSource(root)
    assert source.between("0" * 40, source.head()) == source.between("", source.head())


def test_changes_outside_of_a_subfolder_project_are_not_its_own(tmp_path: Path) -> None:
    root = repository(tmp_path / "repository", HISTORY[:1], "orders")
    start = GitSource(root).head()
    (root.parent / "other.txt").write_text("other")
    git(root.parent, "add", ".")
    git(root.parent, "commit", "-q", "-m", "Other")
    between = GitSource(root).between(start, GitSource(root).head())
    assert between.commits == between.files == ()


@pytest.mark.parametrize("change", ["edit", "stage", "untracked", "delete"])
def test_a_path_with_uncommitted_work_has_no_commit(root: Path, change: str) -> None:
    file = root / "infra" / "main.tf"
    if change == "delete":
        file.unlink()
    elif change == "untracked":
        (root / "infra" / "new.tf").write_text("new")
    else:
        file.write_text("edited")
    if change == "stage":
        git(root, "add", ".")
    source = GitSource(root)
    assert source.commit_of_path("infra") == ""
    assert source.commit_of_path("docs") == source.resolve("stable").sha


def test_ignored_files_do_not_make_a_path_uncommitted(root: Path) -> None:
    (root / ".git" / "info" / "exclude").write_text("*.tfstate\n")
    (root / "infra" / "terraform.tfstate").write_text("{}")
    assert GitSource(root).commit_of_path("infra") == GitSource(root).head()


def test_a_path_is_no_pattern(root: Path) -> None:
    assert GitSource(root).commit_of_path("*") == ""
    assert GitSource(root).commit_of_path(":(top)infra") == ""
    assert GitSource(root).commit_of_path("-h") == ""


def test_asking_does_not_write_to_the_repository(root: Path) -> None:
    index = root / ".git" / "index"
    before = index.read_bytes()
    shutil.copy2(root / "app.py", root / "copy")
    (root / "copy").replace(root / "app.py")
    GitSource(root).commit_of_path(".")
    assert index.read_bytes() == before
