"""Paths, folders and globs → the files to know, the ones that are gone, the ones that are no text for us."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_BYTES = 2 * 1024 * 1024
_SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".midas", ".terraform", ".venv", "venv", "node_modules", "__pycache__"}
    | {".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox", ".idea", ".vscode"}
)
_SECRET_FILE = re.compile(
    r"(\.tfstate(\..*)?|\.tfplan|\.pem|\.key|\.p12|\.pfx|\.jks|\.kdbx|(^|/)\.env(\..*)?|(^|/)id_(rsa|dsa|ecdsa|ed25519)"
    r"|(^|/)\.(netrc|npmrc|pypirc|pgpass)|(^|/)kubeconfig)$"
)
_GLOB = re.compile(r"[*?\[]")


@dataclass
class Gathered:
    """What adding some paths comes to. ``files``: source → where it is on disk, in the order of sources."""

    files: dict[str, Path] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """Known sources that these paths cover and that are not there any more."""
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Those of the paths that stand for nothing, now or before."""


def gather(root: Path, paths: Iterable[str], known: Collection[str]) -> Gathered:
    """Look at what ``paths`` (files, folders, globs; relative to ``root`` or absolute) stand for now."""
    gathered = Gathered()
    found: dict[str, Path] = {}
    for given in paths:
        path = root / given
        if path.is_file():
            found[source_name(root, path)] = path
        elif path.is_dir():
            found.update((source_name(root, file), file) for file in _walk(path))
            prefix = source_name(root, path)
            gathered.gone.update(s for s in known if prefix == "." or s.startswith(f"{prefix}/"))
        elif _GLOB.search(given):
            matching = {source_name(root, file): file for file in _matching(root, given)}
            found.update(matching)
            pattern = _pattern(source_name(root, path))
            covered = {source for source in known if pattern.fullmatch(source)}
            gathered.gone.update(covered)
            if not matching and not covered:
                gathered.skipped.append(f"{given}: matches no file")
                gathered.missing.append(given)
        else:
            name = source_name(root, path)
            covered = {source for source in known if source == name or source.startswith(f"{name}/")}
            gathered.gone.update(covered)
            if not covered:
                gathered.skipped.append(f"{given}: no such file or folder")
                gathered.missing.append(given)
    gathered.gone -= found.keys()
    # A folder of the project never takes away what was added from elsewhere, nor an incident.
    gathered.gone = {source for source in gathered.gone if not source.startswith("incident:")}
    for source in sorted(found):
        gathered.files[source] = found[source]
    return gathered


def read_source(path: Path) -> tuple[str, str]:
    """(text, "") or ("", why it is skipped)."""
    try:
        if _SECRET_FILE.search(path.as_posix()):
            return "", "such files hold secrets"
        if (size := path.stat().st_size) > MAX_BYTES:
            return (
                "",
                f"{size / 1_048_576:.1f} MB is over the {MAX_BYTES // 1_048_576} MB that one file may have",
            )
        data = path.read_bytes()
    except OSError as error:
        return "", error.strerror or str(error)
    return _decode(data)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in data[:65536]:
        return "", "binary"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return (text, "") if text.strip() else ("", "empty")


def source_name(root: Path, path: Path) -> str:
    """The name a file is known by: relative to the project, or absolute when it lies elsewhere."""
    # normpath, not resolve: a link inside the project is known by the name it has there.
    absolute = Path(os.path.normpath(path))
    name = absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()
    # A file system's name may be no UTF-8, which no store takes.
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        yield from (Path(here, name) for name in sorted(files) if Path(here, name).is_file())


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    given = PurePosixPath(pattern)
    base = Path(given.anchor) if given.is_absolute() else root
    relative = str(given.relative_to(given.anchor)) if given.is_absolute() else pattern
    for path in sorted(base.glob(relative)):
        inside = path.relative_to(base).parts
        if path.is_file() and not _SKIPPED_FOLDERS.intersection(inside[:-1]):
            yield path


def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression, with ``**`` for any number of folders."""
    parts: list[str] = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]*\]|[^*?\[]+|\[", glob):
        translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece)
        if translated is None and piece.startswith("[") and piece.endswith("]"):
            translated = "[" + piece[1:-1].replace("!", "^", 1).replace("\\", "\\\\") + "]"
        parts.append(re.escape(piece) if translated is None else translated)
    return re.compile("".join(parts), re.DOTALL)


def redact_lines(text: str, redact: Callable[[str], str]) -> str:
    """Redact a whole text and keep every line where it was, so that line numbers stay true.

    A redactor may fold a key block of many lines into one: blank lines take the place of what it folded.
    """
    before = text.replace("\r\n", "\n").split("\n")
    after = redact("\n".join(before)).split("\n")
    if len(after) == len(before):
        return "\n".join(after)
    kept: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for _, first, end, new_first, new_end in matcher.get_opcodes():
        lines = after[new_first:new_end]
        room = end - first
        if len(lines) > room:
            lines = [*lines[: room - 1], " ".join(lines[room - 1 :])] if room else []
        kept += lines + [""] * (room - len(lines))
    return "\n".join(kept)
