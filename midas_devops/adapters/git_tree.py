"""Unpack a tree that git wrote as a tar stream, trusting none of its names."""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from midas_devops.errors import ToolError

_COPY_BYTES = 1 << 20


def unpack(stream: IO[bytes], into: Path, *, levels_above: int = 0) -> None:
    """Write regular files, folders and symbolic links below the existing folder ``into``.

    A link may point up to ``levels_above`` folders above: to what the same repository holds beside a project
    in a subfolder. It dangles then, and nothing is ever written through a link.
    Modes are 0755 for what is executable and 0644 otherwise, whoever runs it. Raises ``ToolError`` for a
    member that would land or point outside, ``tarfile.TarError`` for a broken stream, ``OSError``.
    """
    links: set[PurePosixPath] = set()
    # The stream mode never seeks and never holds a member in memory.
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
        for member in archive:
            name = _inner(member.name, links)
            target = into / name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.issym():
                _check_link(name, member.linkname, levels_above)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(member.linkname)
                links.add(name)
            elif member.isreg():
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(archive, member, target)
            else:
                raise _refused(member.name, "is neither a file nor a folder nor a link")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    mode = 0o755 if member.mode & 0o100 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, mode), "wb") as file:
        content = archive.extractfile(member)
        if content is not None:
            shutil.copyfileobj(content, file, _COPY_BYTES)
        os.fchmod(file.fileno(), mode)


def _inner(name: str, links: set[PurePosixPath]) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _refused(name, "would be written outside of the folder")
    if not links.isdisjoint([path, *path.parents]):
        raise _refused(name, "would be written through a symbolic link")
    return path


def _check_link(name: PurePosixPath, points_to: str, levels_above: int) -> None:
    reached = posixpath.normpath(posixpath.join(str(name.parent), points_to))
    climbs = len([part for part in reached.split("/") if part == ".."])
    if posixpath.isabs(points_to) or climbs > levels_above:
        raise _refused(str(name), f"is a symbolic link to {points_to}, outside of the repository")


def _refused(name: str, why: str) -> ToolError:
    return ToolError(
        f"the commit was not exported: {name} {why}",
        hint="replace it in the repository by something that stays inside it, and commit that",
        location=name,
    )
