"""Conformance suite of the Source port, and a source for tests that keeps everything in memory.

Subclass :class:`SourceConformance` in a test file as ``class TestMine(SourceConformance)`` and give it a
``build`` fixture.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from midas_devops.errors import StorageError, ToolError, UsageError
from midas_devops.ports.source import Between, Commit, Source


@dataclass(frozen=True)
class Step:
    """One commit of a history: the whole tree that it leaves."""

    subject: str
    files: Mapping[str, str]
    tags: Sequence[str] = ()
    branch: str = ""
    """A branch to put on it, besides the one that the history is on."""


HISTORY = (
    Step("Begin", {"app.py": "1", "infra/main.tf": "one"}, tags=("v1.0.0",)),
    Step("Say more", {"app.py": "2", "infra/main.tf": "one", "docs/a b/ü.md": "text"}, branch="stable"),
    Step("Grow", {"app.py": "3", "infra/main.tf": "two", "docs/a b/ü.md": "text"}, tags=("v1.1.0",)),
)

Build = Callable[[Sequence[Step]], Source]


class SourceConformance:
    """What every source does."""

    @pytest.fixture
    def build(self) -> Build:
        """To be given by the subclass: history → a source whose HEAD is its last commit."""
        raise NotImplementedError

    @pytest.fixture
    def source(self, build: Build) -> Source:
        """The source of :data:`HISTORY`."""
        return build(HISTORY)

    def test_a_source_without_commits_is_not_available(self, build: Build) -> None:
        empty = build(())
        assert not empty.available()
        assert empty.head() == ""
        with pytest.raises(UsageError):
            empty.resolve("main")

    def test_head_is_the_last_commit(self, source: Source) -> None:
        assert source.available()
        assert source.head() == source.resolve("v1.1.0").sha

    def test_a_tag_resolves_to_its_commit_and_keeps_its_name(self, source: Source) -> None:
        commit = source.resolve("v1.0.0")
        assert len(commit.sha) == 40
        assert commit.subject == "Begin"
        assert commit.version == "v1.0.0"

    def test_a_branch_and_a_short_hash_resolve_to_the_full_hash(self, source: Source) -> None:
        commit = source.resolve("stable")
        assert commit.subject == "Say more"
        assert source.resolve(commit.sha[:8]).sha == commit.sha
        assert source.resolve(commit.sha).sha == commit.sha

    def test_a_hash_takes_its_version_from_a_tag_or_from_itself(self, source: Source) -> None:
        tagged, plain = source.resolve("v1.0.0").sha, source.resolve("stable").sha
        assert source.resolve(tagged).version == "v1.0.0"
        version = source.resolve(plain).version
        assert len(version) >= 7
        assert plain.startswith(version)

    def test_an_unknown_version_is_refused_with_names_that_are_near(self, source: Source) -> None:
        with pytest.raises(UsageError) as refused:
            source.resolve("v1.0.1")
        assert "v1.0.1" in refused.value.message
        assert "v1.0.0" in refused.value.hint

    @pytest.mark.parametrize("version", ["", "-h", "--upload-pack=x", "v1.0.0 x", "v1.0.0..stable", "a\nb"])
    def test_what_no_version_can_be_is_refused(self, source: Source, version: str) -> None:
        with pytest.raises(UsageError):
            source.resolve(version)

    def test_between_lists_commits_newest_first_and_files(self, source: Source) -> None:
        between = source.between(source.resolve("v1.0.0").sha, source.head())
        assert [line.split(" ", 1)[1] for line in between.commits] == ["Grow", "Say more"]
        assert between.commits_total == 2
        assert set(between.files) == {"app.py", "infra/main.tf", "docs/a b/ü.md"}
        assert between.files_total == 3
        assert not between.is_older

    def test_between_knows_the_way_back(self, source: Source) -> None:
        between = source.between(source.head(), source.resolve("v1.0.0").sha)
        assert between.is_older
        assert between.commits_total == 2

    def test_between_from_nothing_is_everything(self, source: Source) -> None:
        between = source.between("", source.resolve("stable").sha)
        assert between.commits_total == 2
        assert between.files_total == 3
        assert not between.is_older

    def test_nothing_lies_between_a_commit_and_itself(self, source: Source) -> None:
        between = source.between(source.head(), source.head())
        assert between.commits == between.files == ()
        assert not between.is_older

    def test_export_writes_exactly_that_commit(self, source: Source, tmp_path: Path) -> None:
        into = tmp_path / "new" / "release"
        source.export(source.resolve("stable").sha, into)
        assert tree(into) == dict(HISTORY[1].files)

    def test_export_of_a_folder_writes_that_folder(self, source: Source, tmp_path: Path) -> None:
        source.export(source.head(), tmp_path / "infra", subfolder="infra")
        assert tree(tmp_path / "infra") == {"main.tf": "two"}

    def test_export_of_what_is_not_there_leaves_nothing(self, source: Source, tmp_path: Path) -> None:
        with pytest.raises(ToolError):
            source.export("0" * 40, tmp_path / "a")
        with pytest.raises(ToolError):
            source.export(source.resolve("v1.0.0").sha, tmp_path / "b", subfolder="docs")
        assert list(tmp_path.glob("[ab]")) == []

    def test_export_mixes_with_nothing(self, source: Source, tmp_path: Path) -> None:
        into = tmp_path / "taken"
        into.mkdir()
        (into / "mine").write_text("mine")
        with pytest.raises(StorageError):
            source.export(source.head(), into)
        assert tree(into) == {"mine": "mine"}

    def test_the_commit_of_a_path_is_the_last_that_touched_it(self, source: Source) -> None:
        assert source.commit_of_path("infra") == source.head()
        assert source.commit_of_path("docs") == source.resolve("stable").sha
        assert source.commit_of_path("nowhere") == ""


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in files}


@dataclass
class FakeSource:
    """A history in memory. Hashes are made of the content, so they differ as real ones do."""

    steps: Sequence[Step]
    uncommitted: set[str] = field(default_factory=set)
    """Paths with edits that are not committed."""
    unreadable: bool = False
    """Every export fails, as with a broken repository."""

    def available(self) -> bool:
        """Whether there is a commit."""
        return bool(self.steps)

    def head(self) -> str:
        """Hash of the last step."""
        return self._hashes()[-1] if self.steps else ""

    def resolve(self, version: str) -> Commit:
        """Tag, branch, or hash of 4 digits or more. Raises ``UsageError``."""
        for sha, step in zip(self._hashes(), self.steps, strict=True):
            short = len(version) >= 4 and sha.startswith(version)
            if version in step.tags or (version and version == step.branch) or short:
                named = version if version in step.tags else next(iter(step.tags), sha[:7])
                return Commit(sha=sha, subject=step.subject, version=named)
        names = [name for step in self.steps for name in (*step.tags, step.branch) if name]
        near = difflib.get_close_matches(version, names)
        raise UsageError(
            f"'{version}' is no tag, branch or commit", hint="did you mean " + " or ".join(near) + "?"
        )

    def between(self, start: str, end: str) -> Between:
        """Steps and changed files."""
        hashes = self._hashes()
        last = hashes.index(end)
        first = hashes.index(start) if start in hashes else -1
        low, high = sorted((first, last))
        steps = [f"{hashes[i][:7]} {self.steps[i].subject}" for i in range(high, low, -1)]
        old: Mapping[str, str] = self.steps[first].files if first >= 0 else {}
        new = self.steps[last].files
        files = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return Between(
            commits=tuple(steps),
            commits_total=len(steps),
            files=tuple(files),
            files_total=len(files),
            is_older=last < first,
        )

    def export(self, commit: str, into: Path, subfolder: str = "") -> None:
        """Write the files of a step. Raises ``ToolError``, ``StorageError``."""
        if self.unreadable or commit not in self._hashes():
            raise ToolError(f"there is no commit {commit}", hint="fetch it first")
        files = self.steps[self._hashes().index(commit)].files
        prefix = f"{subfolder}/" if subfolder else ""
        inner = {name[len(prefix) :]: text for name, text in files.items() if name.startswith(prefix)}
        if not inner:
            raise ToolError(f"commit {commit[:12]} has no folder '{subfolder}'")
        if into.is_dir() and any(into.iterdir()):
            raise StorageError(f"{into} is not empty")
        for name, text in inner.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(text, "utf-8")

    def commit_of_path(self, path: str) -> str:
        """Hash of the last step that changed it; empty when ``uncommitted`` or never there."""
        if any(edited == path or edited.startswith(f"{path}/") for edited in self.uncommitted):
            return ""
        found, before = "", dict[str, str]()
        for sha, step in zip(self._hashes(), self.steps, strict=True):
            now = {n: text for n, text in step.files.items() if n == path or n.startswith(f"{path}/")}
            if now != before:
                found, before = sha, now
        return found

    def _hashes(self) -> list[str]:
        hashes: list[str] = []
        for step in self.steps:
            content = repr((hashes[-1:], step.subject, sorted(step.files.items())))
            hashes.append(hashlib.sha256(content.encode()).hexdigest()[:40])
        return hashes
