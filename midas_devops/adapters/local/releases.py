"""Folders with exact commits, each whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import StorageError
from midas_devops.safety.private import private_folder, storage_error, write_private

_PARTIAL = ".partial-"
_DONE = ".done"
_PRIVATE = 0o700


class Releases:
    """``releases/<commit>`` with the completion marker ``releases/<commit>.done`` beside it.

    The marker stands outside, so that the folder holds exactly what the commit and its build made.
    """

    def __init__(self, root: Path, build: tuple[str, ...]) -> None:
        self._root = root
        self._build_sha256 = sha256_hex(canonical_json(list(build)))

    def path(self, name: str) -> Path:
        return self._root / name

    def kept(self, commit: str) -> str:
        """Name of an intact folder of this commit, built as configured now; empty when there is none."""
        for marker in sorted(self._root.glob(f"{commit}*{_DONE}")):
            name = marker.name.removesuffix(_DONE)
            if self.path(name).is_dir() and self._built_so(marker):
                return name
        return ""

    def ready(self, commit: str) -> str:
        """As :meth:`kept`, and it counts as deployed last."""
        name = self.kept(commit)
        if name:
            os.utime(self._marker(name))
        return name

    def make(
        self,
        commit: str,
        *,
        write: Callable[[Path], None],
        build: Callable[[Path], None],
        in_use: Collection[str],
    ) -> str:
        """Write and build the commit; the name of its folder. What raises on the way leaves nothing behind.

        A folder ``in_use`` is not touched: the new one gets a name of its own. Raises ``StorageError``.
        """
        private_folder(self._root)
        name = commit if commit not in in_use else f"{commit}-{secrets.token_hex(4)}"
        partial = self.path(f"{_PARTIAL}{secrets.token_hex(8)}")
        target = self.path(name)
        try:
            write(partial)
            self.remove(name)
            partial.rename(target)
            # Built where it stays: virtual environments and compilers write their path into what they make.
            build(target)
            os.sync()
            note = {"commit": commit, "build_sha256": self._build_sha256}
            write_private(self._marker(name), json.dumps(note).encode())
        except BaseException as error:
            with contextlib.suppress(OSError, StorageError):
                remove_tree(partial)
                self.remove(name)
            if isinstance(error, OSError):
                raise storage_error(f"make the release {commit[:12]}", target, error) from error
            raise
        return name

    def remove(self, name: str) -> None:
        """Marker first: a folder that is half gone is no release any more."""
        self._marker(name).unlink(missing_ok=True)
        remove_tree(self.path(name))

    def sweep(self) -> None:
        """Take away what an interrupted process left half-written."""
        for partial in self._root.glob(f"{_PARTIAL}*"):
            remove_tree(partial)

    def prune(self, keep: int, never: Collection[str], verified: Callable[[str], bool]) -> list[str]:
        """Delete old releases: all but the ``keep`` newest, those of ``never``, and the newest verified one.

        The names that went. Newest = deployed last.
        """
        if not self._root.is_dir():
            return []
        markers = sorted(self._root.glob(f"*{_DONE}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        names = [marker.name.removesuffix(_DONE) for marker in markers]
        kept = {*names[:keep], *never}
        kept.update(next(([name] for name in names if name not in never and verified(_commit(name))), []))
        everything = {path.name for path in self._root.iterdir() if path.is_dir()} | set(names)
        gone = sorted(everything - kept)
        for name in gone:
            self.remove(name)
        return gone

    def _marker(self, name: str) -> Path:
        return self._root / f"{name}{_DONE}"

    def _built_so(self, marker: Path) -> bool:
        try:
            note = json.loads(marker.read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(note, dict) and note.get("build_sha256") == self._build_sha256


def _commit(name: str) -> str:
    return name.partition("-")[0]


def remove_tree(path: Path) -> None:
    """Delete a folder, write-protected ones (module caches) too. Raises ``StorageError``."""
    if not path.is_dir() or path.is_symlink():
        return
    try:
        path.chmod(_PRIVATE)
        for folder, inner, _ in os.walk(path):
            for each in (Path(folder, name) for name in inner):
                if not each.is_symlink():
                    each.chmod(_PRIVATE)
        shutil.rmtree(path)
    except OSError as error:
        raise storage_error("delete a release", path, error) from error
