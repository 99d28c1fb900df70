"""Folders and files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from midas_devops.errors import StorageError

FOLDER = ".midas"
"""Our folder in a project."""

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, then repeat the command",
    errno.EDQUOT: "the disk quota is used up: free some space, then repeat the command",
    errno.EFBIG: "the file is larger than this process may write: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: put the project on one that can be written",
    errno.EACCES: "this user may not do that: check the owner and mode of the folder",
    errno.EPERM: "this user may not do that: check the owner and mode of the folder",
    errno.ENOTDIR: "a file stands where a folder should be: move it away",
    errno.EISDIR: "a folder stands where a file should be: move it away",
}


def storage_error(attempted: str, path: Path | str, error: OSError) -> StorageError:
    """An operating system's refusal as ours: what was attempted, on which file, and what to do next."""
    seen = error.strerror or str(error)
    return StorageError(
        f"could not {attempted}: {seen}",
        hint=_HINTS.get(error.errno or 0, "check the folder, then repeat the command"),
        location=str(path),
    )


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter (0700), and missing ones above it; tighten one that exists.

    Raises ``StorageError``.
    """
    try:
        for missing in reversed([path, *path.parents]):
            missing.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        if path.stat().st_mode & 0o777 != _PRIVATE_FOLDER:
            path.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise storage_error("make a private folder", path, error) from error
    return path


def project_folder(root: Path) -> Path:
    """``.midas`` of a project: 0700, and ignored by git through a ``.gitignore`` of its own."""
    folder = private_folder(root / FOLDER)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_private(ignore, b"*\n")
    return folder


def write_private(path: Path, data: bytes) -> None:
    """Replace a file's content at once (0600). A crash leaves the old content or the new, nothing between.

    Raises ``StorageError``.
    """
    with written_whole(path) as stream:
        stream.write(data)


@contextmanager
def written_whole(path: Path, *, mode: int = _PRIVATE_FILE) -> Iterator[BinaryIO]:
    """A stream whose content becomes ``path`` when the block ends, and vanishes when it raises.

    Raises ``StorageError`` for what the file system refuses.
    """
    partial = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error("write", path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. File systems that cannot do that refuse, and lose nothing by it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
