"""A repository's files as detection sees them: paths and texts, wherever they come from."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Protocol

MOST_BYTES = 400_000
"""Longest file that is read: a manifest or a workflow is far below."""

_SKIPPED = frozenset(
    {"node_modules", "vendor", "dist", "target", "venv", "__pycache__", "testdata", "fixtures"}
)
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")


class Tree(Protocol):
    """One state of a repository, read only."""

    def paths(self) -> tuple[str, ...]:
        """Every file, ``/`` between the parts, sorted."""
        ...

    def read(self, path: str) -> str:
        """A file's text, at most ``MOST_BYTES`` of it; empty when there is no such file."""
        ...


class FolderTree:
    """A folder as it stands, without hidden folders (but ``.github``), installed packages and links."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: tuple[str, ...] | None = None

    def paths(self) -> tuple[str, ...]:
        if self._paths is None:
            self._paths = tuple(sorted(self._walk()))
        return self._paths

    def read(self, path: str) -> str:
        full = self._root / path
        if not full.is_file() or full.is_symlink():
            return ""
        with full.open(encoding="utf-8", errors="replace") as file:
            return file.read(MOST_BYTES)

    def _walk(self) -> list[str]:
        found = []
        for folder, inner, names in os.walk(self._root):
            inner[:] = [
                name for name in inner if name not in _SKIPPED and (name[0] != "." or name == ".github")
            ]
            base = Path(folder).relative_to(self._root)
            found += [(base / name).as_posix() for name in names if not (Path(folder) / name).is_symlink()]
        return found


def interesting(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Without generated, installed and hidden files, fixtures and examples: what the repository builds.

    Hidden files of a visible folder stay (``.nvmrc``).
    """
    return tuple(path for path in paths if not _aside(PurePosixPath(path).parts[:-1]))


def _aside(folders: tuple[str, ...]) -> bool:
    return any(part in _SKIPPED or part in {"examples", "example"} or part[0] == "." for part in folders)


def among_tests(path: str) -> bool:
    """Whether a manifest is there for the tests of something else."""
    return not {"test", "tests"}.isdisjoint(PurePosixPath(path).parts[:-1])


def folder_of(path: str) -> str:
    """The folder of a file; ``.`` for the root."""
    return PurePosixPath(path).parent.as_posix()


def within(folder: str, name: str) -> str:
    """``name`` in ``folder``."""
    return name if folder == "." else f"{folder}/{name}"


def below(folder: str, path: str) -> bool:
    """Whether ``path`` lies in ``folder`` or deeper."""
    return folder in (".", path) or path.startswith(folder + "/")


def writable(folder: str) -> bool:
    """Whether the folder's name can stand in a pipeline without quoting tricks."""
    return bool(folder) and set(folder) <= _SAFE and not folder.startswith(("-", "/")) and ".." not in folder
