"""Find and read the report files that a gate names, without leaving the project."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from midas_devops.domain.gate_rules import FULL_HASH
from midas_devops.ports.results import ReadFailure

MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_FILES = 500
MAX_FOLDERS = 20_000
_MAGIC = re.compile(r"[*?[]")
_NEVER_SEARCHED = frozenset({".git", ".midas"})


class ReportError(Exception):
    """A report cannot be read as what it should be. The message says which and why."""


@dataclass(frozen=True)
class ReportFile:
    """One report, read once: what is judged and what is hashed are the same bytes."""

    path: str
    """Relative to the project, ``/`` between the parts."""
    data: bytes
    modified: datetime


@dataclass(frozen=True)
class ReportFiles:
    """All reports of one gate, sorted by path, with the first reason why that is not all of them."""

    files: tuple[ReportFile, ...] = ()
    failure: ReadFailure | None = None

    @property
    def evidence(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)

    @property
    def sha256(self) -> str:
        """Over the bytes of all files in order: ``cat`` of them through ``sha256sum`` gives the same."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(file.data)
        return digest.hexdigest() if self.files else ""


def read_reports(root: Path, template: str, commit: str) -> ReportFiles:
    """Read every file that ``template`` names for ``commit`` (a full hash).

    ``*``, ``?``, ``[…]`` match within a path part and ``**`` any number of folders. Nothing outside ``root``
    is read, through ``..`` or through a link. One file that cannot be read fails the whole.
    """
    if not FULL_HASH.fullmatch(commit):
        return _failed("missing", f"no report can be bound to '{commit}': it is not a full commit hash")
    pattern = template.replace("{commit}", commit)
    try:
        top = root.resolve(strict=True)
        paths = list(islice(_matches(top, pattern), MAX_FILES + 1))
        if len(paths) > MAX_FILES:
            return _failed("unreadable", f"{pattern} matches more than {MAX_FILES} files")
        found = list(_read_all(top, sorted(set(paths))))
    except ReportError as error:
        return _failed("unreadable", str(error))
    except OSError as error:
        where = _relative(root, error.filename) if isinstance(error.filename, str) else pattern
        return _failed("unreadable", f"{where} cannot be read: {error.strerror or error}")
    if not found:
        return _failed("missing", _nothing_there(root, template, commit))
    return ReportFiles(files=tuple(sorted(found, key=lambda file: file.path)))


def _failed(code: str, message: str) -> ReportFiles:
    return ReportFiles(failure=ReadFailure.model_validate({"code": code, "message": message}))


def _nothing_there(root: Path, template: str, commit: str) -> str:
    message = f"there is no report at {template.replace('{commit}', commit)}"
    folder = template.partition("{commit}")[0]
    # A folder named by a short hash could belong to another commit as well, so it is pointed out, not read.
    short = root / f"{folder}{commit[:7]}"
    if "{commit}" in template and not _MAGIC.search(folder) and short.exists():
        message += f"; {folder}{commit[:7]} is there, but {{commit}} stands for the full hash"
    return message


def _matches(top: Path, pattern: str) -> Iterator[Path]:
    inside = pattern.removeprefix(f"{top}/")
    parts = [part for part in inside.split("/") if part not in ("", ".")]
    if inside.startswith("/") or ".." in parts or "\0" in pattern:
        raise ReportError(f"{pattern} leads out of the project")
    if not parts:
        raise ReportError("the gate names no report file")
    if any(_MAGIC.search(part) for part in parts):
        yield from _expand(top, top, parts, _Walked())
    elif _exists(top.joinpath(*parts)):
        yield top.joinpath(*parts)


class _Walked:
    """Counts folders, so that a pattern over a huge tree ends with an error and not in hours."""

    def __init__(self) -> None:
        self._folders = 0

    def one_more(self, folder: Path) -> None:
        self._folders += 1
        if self._folders > MAX_FOLDERS:
            raise ReportError(
                f"the pattern searches more than {MAX_FOLDERS} folders, the last was {folder.name}"
            )


def _expand(top: Path, folder: Path, parts: list[str], walked: _Walked) -> Iterator[Path]:
    # pathlib's glob leaves out what it may not read; a report that is left out cannot fail its gate.
    part, rest = parts[0], parts[1:]
    if not _MAGIC.search(part):
        target = folder / part
        if _exists(target):
            yield from _descend(top, target, rest, walked)
        return
    walked.one_more(folder)
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    if part == "**":
        deeper = [
            folder / entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and entry.name not in _NEVER_SEARCHED
        ]
        yield from _expand(top, folder, rest or ["*"], walked)
        for child in deeper:
            yield from _expand(top, child, parts, walked)
        return
    for entry in entries:
        if fnmatchcase(entry.name, part) and (rest or not entry.is_dir()):
            yield from _descend(top, folder / entry.name, rest, walked)


def _descend(top: Path, target: Path, rest: list[str], walked: _Walked) -> Iterator[Path]:
    if not rest:
        yield target
    elif target.is_dir():
        _inside(top, target)
        yield from _expand(top, target, rest, walked)


def _inside(top: Path, path: Path) -> Path:
    resolved = path.resolve()
    if resolved != top and top not in resolved.parents:
        raise ReportError(f"{_relative(top, path)} leads out of the project")
    return resolved


def _relative(top: Path, path: Path | str) -> str:
    try:
        return Path(path).relative_to(top).as_posix()
    except ValueError:
        return Path(path).name


def _exists(path: Path) -> bool:
    # Unlike os.path.lexists, a folder that may not be looked into is an error, not an absence.
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _read_all(top: Path, paths: list[Path]) -> Iterator[ReportFile]:
    left = MAX_TOTAL_BYTES
    for path in paths:
        report = _read(top, path, left)
        left -= len(report.data)
        yield report


def _read(top: Path, path: Path, most: int) -> ReportFile:
    shown = _relative(top, path)
    with open(_inside(top, path), "rb", opener=_open_at_once) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ReportError(f"{shown} is no regular file")
        data = stream.read(most + 1)
    if len(data) > most:
        raise ReportError(f"{shown} is too large: one gate reads at most {MAX_TOTAL_BYTES // 2**20} MiB")
    if not data.strip():
        raise ReportError(f"{shown} is empty")
    return ReportFile(path=shown, data=data, modified=datetime.fromtimestamp(status.st_mtime, tz=UTC))


def _open_at_once(path: str, flags: int) -> int:
    # Without O_NONBLOCK the open of a named pipe would wait for its writer for ever.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
