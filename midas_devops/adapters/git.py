"""The project's version control, through the git command line."""

from __future__ import annotations

import difflib
import posixpath
import re
import shutil
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from midas_devops.adapters.git_command import Git
from midas_devops.adapters.git_tree import unpack
from midas_devops.errors import MidasError, ToolError, UsageError
from midas_devops.ports.source import Between, Commit
from midas_devops.safety.private import storage_error

_MOST_COMMITS = 50
_MOST_FILES = 5_000
_NAMES_SHOWN = 3

_HASH = re.compile(r"[0-9a-fA-F]{4,64}")
_NO_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|^$")
"""What git itself allows in no name of a tag or branch, and what an option begins with."""


class GitSource:
    """The repository around a project. The project may be a folder inside it: then only that folder counts.

    Every method but :meth:`available` raises ``ToolError`` when git is missing or refuses the repository.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._git = Git(root)

    def available(self) -> bool:
        """Whether the project is in a repository with a commit; False without git too."""
        try:
            return bool(self.head())
        except MidasError:
            return False

    def head(self) -> str:
        """Full hash of HEAD; empty when there is no commit or no repository."""
        return self._sha("HEAD")

    def resolve(self, version: str) -> Commit:
        """Tag, then branch (also of a remote), then hash. Raises ``UsageError`` naming what is near."""
        self._require_commits(version)
        if _NO_NAME.search(version):
            raise self._unknown(version)
        for reading in _readings(version):
            if sha := self._sha(reading):
                return self._commit(sha, reading)
        raise self._unknown(version)

    def between(self, start: str, end: str) -> Between:
        """Commits and files of the project's folder; going back in history, the commits that are left behind.

        A ``start`` that this repository does not have (rewritten, not fetched) counts as empty.
        """
        target = self._known(end)
        origin = self._sha(start) if _HASH.fullmatch(start) else ""
        if not origin:
            return self._history(target, ("ls-tree", "-r", "--name-only", "-z", target), False)
        is_older = origin != target and self._git.run("merge-base", "--is-ancestor", target, origin).ok
        return self._history(
            f"{target}..{origin}" if is_older else f"{origin}..{target}",
            ("diff-tree", "-r", "--relative", "--name-only", "--no-renames", "-z", origin, target),
            is_older,
        )

    def export(self, commit: str, into: Path, subfolder: str = "") -> None:
        """Write that commit's tree of the project (or of ``subfolder`` in it) into ``into``, new or empty.

        ``export-ignore`` in ``.gitattributes`` leaves files out, as ``git archive`` does; submodules come as
        empty folders. When it fails nothing is left. Raises ``ToolError`` for a commit or folder that is not
        there and for a tree that would reach outside ``into``, ``StorageError`` for what the disk refuses.
        """
        sha = self._known(commit)
        folder = self._folder_in_repository(subfolder)
        tree = f"{sha}:{folder}" if folder else sha
        if self._git.run("cat-file", "-t", tree).text.strip() not in ("tree", "commit"):
            raise ToolError(
                f"commit {sha[:12]} has no folder '{folder}'",
                hint="the project did not exist there yet, or stood elsewhere: choose a later commit",
                location=folder,
            )
        try:
            into.mkdir(parents=True, exist_ok=True)
            if any(into.iterdir()):
                raise FileExistsError(None, "the folder is not empty")
        except OSError as error:
            raise storage_error(f"export commit {sha[:12]}", into, error) from error
        try:
            self._archive(tree, into, levels_above=len(PurePosixPath(folder).parts))
        except BaseException as error:
            shutil.rmtree(into, ignore_errors=True)
            if isinstance(error, OSError):
                raise storage_error(f"export commit {sha[:12]}", into, error) from error
            raise

    def commit_of_path(self, path: str) -> str:
        """Last commit that touched ``path``; empty with edits or untracked files (not ignored ones) in it."""
        changed = self._git.run("status", "--porcelain=v1", "-z", "--untracked-files=all", "--", path)
        if not changed.ok or changed.text:
            return ""
        return self._git.run("log", "-1", "--format=%H", "--", path).text.strip()

    def _commit(self, sha: str, reading: str) -> Commit:
        version = reading.removeprefix("refs/tags/") if reading.startswith("refs/tags/") else ""
        if not version:
            tags = ("--sort=-version:refname", "--format=%(refname)", "refs/tags")
            on_it = self._git.lines("for-each-ref", f"--points-at={sha}", *tags)
            version = on_it[0].removeprefix("refs/tags/") if on_it else ""
        if not version:
            version = self._git.checked("rev-parse", "--short=7", sha).strip()
        subject = self._git.checked("log", "-1", "--no-decorate", "--format=%s", sha).strip()
        made = self._git.checked("log", "-1", "--no-decorate", "--format=%ct", sha).strip()
        return Commit(
            sha=sha,
            subject=_readable(subject),
            version=_readable(version),
            committed_at=datetime.fromtimestamp(int(made), UTC) if made.isdecimal() else None,
        )

    def _history(self, commits: str, list_files: tuple[str, ...], is_older: bool) -> Between:
        # A path leaves out commits without files in it. Of a whole repository those are its own too.
        within = ("--", ".") if self._folder_in_repository("") else ("--",)
        shown = self._git.lines(
            *("log", "-z", "--no-decorate", "--no-color", "--abbrev=7", "--format=%h %s"),
            *(f"--max-count={_MOST_COMMITS}", commits, *within),
            end="\0",
        )
        files = self._git.lines(*list_files, end="\0")
        return Between(
            commits=tuple(_readable(line) for line in shown),
            commits_total=int(self._git.checked("rev-list", "--count", commits, *within)),
            files=tuple(_readable(name) for name in files[:_MOST_FILES]),
            files_total=len(files),
            is_older=is_older,
        )

    def _archive(self, tree: str, into: Path, *, levels_above: int) -> None:
        top = Path(self._git.checked("rev-parse", "--show-toplevel").rstrip("\n"))
        broken = False
        with tempfile.TemporaryFile() as complaints:
            stream = self._git.stream("archive", "--format=tar", tree, folder=top, complaints=complaints)
            with stream as git:
                try:
                    if git.stdout is not None:
                        unpack(git.stdout, into, levels_above=levels_above)
                        while git.stdout.read(1 << 16):
                            pass
                except tarfile.TarError:
                    broken = True
                except BaseException:
                    git.kill()
                    raise
            if broken or git.returncode:
                complaints.seek(0)
                raise self._git.refused("export a commit", complaints.read().decode("utf-8", "replace"))

    def _folder_in_repository(self, subfolder: str) -> str:
        inner = posixpath.normpath(subfolder or ".")
        if posixpath.isabs(inner) or inner == ".." or inner.startswith("../"):
            raise UsageError(
                f"'{subfolder}' lies outside of the project", hint="give a folder relative to the project"
            )
        prefix = self._git.checked("rev-parse", "--show-prefix").rstrip("\n")
        folder = posixpath.normpath(posixpath.join(prefix, inner))
        return "" if folder == "." else folder

    def _known(self, commit: str) -> str:
        sha = self._sha(commit) if _HASH.fullmatch(commit) else ""
        if not sha:
            raise ToolError(
                f"this repository has no commit '{commit}'", hint=self._fetch_hint(), location=str(self._root)
            )
        return sha

    def _sha(self, name: str) -> str:
        answer = self._git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", "--")
        return answer.text.split("\n")[0].strip() if answer.ok else ""

    def _require_commits(self, version: str) -> None:
        if self.head():
            return
        inside = self._git.run("rev-parse", "--is-inside-work-tree")
        if inside.ok:
            raise UsageError(
                f"'{version}' cannot be resolved: HEAD names no commit yet",
                hint="commit something first: git add . && git commit",
                location=str(self._root),
            )
        if "not a git repository" in inside.error:
            raise UsageError(
                f"'{version}' cannot be resolved: {self._root} is in no git repository",
                hint="run it in the project, or make it a repository: git init && git add . && git commit",
                location=str(self._root),
            )
        raise self._git.refused(f"resolve '{version}'", inside.error)

    def _unknown(self, version: str) -> UsageError:
        names = self._names()
        if near := _near(version, names):
            hint = "did you mean " + " or ".join(near) + "?"
        elif names:
            hint = "the newest tags and branches are " + ", ".join(names[:_NAMES_SHOWN])
        else:
            hint = "give a commit hash, or tag a release: git tag v1.0.0"
        if _HASH.fullmatch(version) and self._git.run("rev-parse", f"--disambiguate={version}").text.strip():
            hint = "it fits several objects, or one that is no commit: give more digits of the hash"
        if self._shallow():
            hint += "; " + self._fetch_hint()
        return UsageError(
            f"'{version}' is no tag, branch or commit of this repository",
            hint=hint,
            location=str(self._root),
        )

    def _names(self) -> list[str]:
        """Tags, then branches, newest first."""
        newest = ("for-each-ref", "--sort=-creatordate", "--format=%(refname)")
        refs = self._git.lines(*newest, "refs/tags")
        refs += self._git.lines(*newest, "refs/heads", "refs/remotes")
        short = (re.sub(r"^refs/(?:tags|heads|remotes/[^/]+)/", "", ref) for ref in refs)
        return [_readable(name) for name in dict.fromkeys(short) if name != "HEAD"]

    def _shallow(self) -> bool:
        return self._git.run("rev-parse", "--is-shallow-repository").text.strip() == "true"

    def _fetch_hint(self) -> str:
        if self._shallow():
            return "this is a shallow clone: git fetch --unshallow --tags"
        return "fetch it first: git fetch --tags"


def _readings(version: str) -> list[str]:
    """What a name may mean, the most specific first. None of them can be taken for an option."""
    if version.startswith("refs/") or version == "HEAD":
        return [version]
    places = ("refs/tags/", "refs/heads/", "refs/remotes/", "refs/remotes/origin/")
    readings = [place + version for place in places]
    if _HASH.fullmatch(version):
        readings.append(version)
    return readings


def _near(version: str, names: list[str]) -> list[str]:
    """Names that look alike or begin alike; case and a leading v do not count."""
    plain = {name.lower().removeprefix("v"): name for name in reversed(names)}
    wanted = version.lower().removeprefix("v")
    close = difflib.get_close_matches(wanted, list(plain), n=_NAMES_SHOWN, cutoff=0.6)
    begins = [name for name in plain if wanted and name.startswith(wanted)]
    return [plain[name] for name in dict.fromkeys([*close, *begins])][:_NAMES_SHOWN]


def _readable(text: str) -> str:
    """Text that any store takes: bytes that were no UTF-8 become the replacement character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
