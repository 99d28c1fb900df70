"""Artifacts on a local disk or in any store that fsspec reaches. Private ones never leave the disk."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import ConfigError, StorageError
from midas_devops.safety.private import private_folder, project_folder, storage_error, written_whole

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

_BLOCK = 1 << 20
_PUBLIC_FILE = 0o644
_HASH = re.compile(r"[0-9a-f]{64}\Z")

Fill = Callable[[BinaryIO], None]


def open_artifacts(url: str, root: Path) -> LocalArtifacts:
    """The artifacts of a project. A relative path as ``url`` starts at ``root``. Raises ``StorageError``."""
    return LocalArtifacts(
        url if _is_remote(url) else str(root / url), project_folder(root) / "artifacts" / "private"
    )


class LocalArtifacts:
    """Public artifacts below ``url`` (a folder, or any fsspec URL), private ones in the folder ``private``.

    Content lies at ``<first 2 digits of the hash>/<hash>``, its first name beside it in ``<hash>.name``.
    """

    def __init__(self, url: str, private: Path) -> None:
        self._private = _Folder(private, private=True)
        self._fetched = _Folder(private / "fetched", private=True)
        self._public: _Folder | _Bucket
        if _is_remote(url):
            self._public = _Bucket(url, self._fetched)
        else:
            self._public = _Folder(Path(url.removeprefix("file://")), private=False)

    def put(self, data: bytes, name: str, *, private: bool = False) -> ArtifactRef:
        """Store once per content. Raises ``StorageError``."""
        ref = ArtifactRef(
            sha256=hashlib.sha256(data).hexdigest(), name=_plain(name), size=len(data), private=private
        )

        def fill(stream: BinaryIO) -> None:
            stream.write(data)

        self._side(ref).store(ref, fill)
        return ref

    def put_file(self, path: Path, name: str, *, private: bool = False) -> ArtifactRef:
        """Store a file's content; of a file that grows meanwhile, what it held at the start."""
        sha256, size = _hash_file(path)
        ref = ArtifactRef(sha256=sha256, name=_plain(name), size=size, private=private)
        self._side(ref).store(ref, lambda stream: _copy_checked(path, ref, stream))
        return ref

    def get(self, ref: ArtifactRef) -> bytes:
        """The content, checked against its hash."""
        path = self._local(ref)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise storage_error(f"read the artifact {ref.name}", path, error) from error
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise _changed(ref, path)
        return data

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """A reader of the content, which was checked against its hash before."""
        path = self.path(ref)
        try:
            return path.open("rb")
        except OSError as error:
            raise storage_error(f"read the artifact {ref.name}", path, error) from error

    def path(self, ref: ArtifactRef) -> Path:
        """A local file with the content, checked against its hash. To be read, never written."""
        path = self._local(ref)
        if _hash_file(path)[0] != ref.sha256:
            raise _changed(ref, path)
        return path

    def find(self, sha256: str) -> ArtifactRef | None:
        """The reference of a stored hash, public side first."""
        if not _HASH.match(sha256):
            return None
        return self._public.find(sha256) or self._private.find(sha256)

    def prune_private(self) -> int:
        """Delete every private artifact, and local copies of remote ones; the number of bytes freed."""
        return self._private.clear()

    def _side(self, ref: ArtifactRef) -> _Folder | _Bucket:
        return self._private if ref.private else self._public

    def _local(self, ref: ArtifactRef) -> Path:
        path = self._side(ref).local(ref) if _HASH.match(ref.sha256) else None
        if path is None:
            raise StorageError(
                f"the artifact {ref.name} ({ref.sha256[:12]}…) is not stored here",
                hint="it was pruned, or written on another machine; run the step again to make it anew",
                location=ref.uri,
            )
        return path


class _Folder:
    """Content-addressed files below one local folder, each written whole."""

    def __init__(self, root: Path, *, private: bool) -> None:
        self._root = root
        self._private = private

    def store(self, ref: ArtifactRef, fill: Fill) -> None:
        target = self._target(ref.sha256)
        if self._holds(target, ref):
            return
        self._make(target.parent)
        mode = 0o600 if self._private else _PUBLIC_FILE
        # The name goes first: content that is there always has its name.
        with written_whole(target.with_suffix(".name"), mode=mode) as stream:
            stream.write(ref.name.encode())
        with written_whole(target, mode=mode) as stream:
            fill(stream)

    def local(self, ref: ArtifactRef) -> Path | None:
        target = self._target(ref.sha256)
        return target if target.is_file() else None

    def find(self, sha256: str) -> ArtifactRef | None:
        target = self._target(sha256)
        try:
            size = target.stat().st_size
            name = target.with_suffix(".name").read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error("look an artifact up", target, error) from error
        return ArtifactRef(sha256=sha256, name=name, size=size, private=self._private)

    def clear(self) -> int:
        if not self._root.is_dir():
            return 0
        try:
            freed = sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())
            for entry in self._root.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError as error:
            raise storage_error("delete private artifacts", self._root, error) from error
        return freed

    def _target(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def _holds(self, target: Path, ref: ArtifactRef) -> bool:
        """A file that was damaged since it was written does not count: storing again repairs it."""
        return target.is_file() and _hash_file(target) == (ref.sha256, ref.size)

    def _make(self, folder: Path) -> None:
        if self._private:
            private_folder(self._root)
            private_folder(folder)
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error("make a folder for artifacts", folder, error) from error


class _Bucket:
    """Content-addressed objects below one fsspec URL; read through local copies."""

    def __init__(self, url: str, copies: _Folder) -> None:
        self._url = url
        self._copies = copies
        self._opened: tuple[AbstractFileSystem, str] | None = None

    def store(self, ref: ArtifactRef, fill: Fill) -> None:
        with self._asked(f"store the artifact {ref.name}") as (filesystem, root):
            target = self._target(root, ref.sha256)
            if filesystem.exists(target) and filesystem.size(target) == ref.size:
                return
            filesystem.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            filesystem.pipe_file(f"{target}.name", ref.name.encode())
            # Not every store puts an object at once: it is moved to its place when it is whole.
            partial = f"{root}/partial-{uuid.uuid4().hex}"
            try:
                with filesystem.open(partial, "wb") as stream:
                    fill(stream)
                filesystem.mv(partial, target)
            finally:
                if filesystem.exists(partial):
                    filesystem.rm_file(partial)

    def local(self, ref: ArtifactRef) -> Path | None:
        copy = self._copies.local(ref)
        if copy is not None:
            return copy
        with self._asked(f"read the artifact {ref.name}") as (filesystem, root):
            target = self._target(root, ref.sha256)
            if not filesystem.exists(target):
                return None
            with filesystem.open(target, "rb") as stream:
                self._copies.store(ref, lambda copy: shutil.copyfileobj(stream, copy, _BLOCK))
        return self._copies.local(ref)

    def find(self, sha256: str) -> ArtifactRef | None:
        with self._asked("look an artifact up") as (filesystem, root):
            target = self._target(root, sha256)
            if not filesystem.exists(target):
                return None
            name = filesystem.cat_file(f"{target}.name").decode()
            return ArtifactRef(sha256=sha256, name=name, size=filesystem.size(target))

    @staticmethod
    def _target(root: str, sha256: str) -> str:
        return f"{root}/{sha256[:2]}/{sha256}"

    @contextmanager
    def _asked(self, attempted: str) -> Iterator[tuple[AbstractFileSystem, str]]:
        """The file system and our root in it. What its driver raises becomes ours, whichever type it has."""
        if self._opened is None:
            self._opened = _connect(self._url)
        try:
            yield self._opened
        except StorageError:
            raise
        except OSError as error:
            raise storage_error(attempted, self._url, error) from error
        except Exception as error:
            raise StorageError(
                f"could not {attempted}: {type(error).__name__}: {error}",
                hint="check [storage] artifacts in midas.toml, and that the store can be reached and written",
                location=self._url,
            ) from error


def _connect(url: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        filesystem, root = url_to_fs(url)
    except ImportError as error:
        raise ConfigError(
            f"artifacts at {url} need a driver that is not installed: {error}",
            hint="install the fsspec driver of that store, or use a folder in [storage] artifacts",
            location="midas.toml: storage.artifacts",
        ) from error
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"{url} is no address that fsspec can open: {error}",
            hint="write a folder or an fsspec URL in [storage] artifacts",
            location="midas.toml: storage.artifacts",
        ) from error
    return filesystem, root.rstrip("/")


def _is_remote(url: str) -> bool:
    return ("://" in url or "::" in url) and not url.startswith("file://")


def _plain(name: str) -> str:
    """The last part of a name: an artifact's name never is a way to another folder."""
    last = PurePosixPath(name.replace("\\", "/")).name[:200]
    return last.encode("utf-8", "replace").decode() or "artifact"


def _hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 and size, read in blocks."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise storage_error("read", path, error) from error
    return digest.hexdigest(), size


def _copy_checked(path: Path, ref: ArtifactRef, target: BinaryIO) -> None:
    """Copy exactly the bytes that were hashed: a log that is still written to may have grown since."""
    digest, left = hashlib.sha256(), ref.size
    with path.open("rb") as stream:
        while left and (block := stream.read(min(_BLOCK, left))):
            digest.update(block)
            target.write(block)
            left -= len(block)
    if digest.hexdigest() != ref.sha256:
        raise StorageError(
            f"{path.name} changed while it was stored",
            hint="stop what writes to it, then repeat the command",
            location=str(path),
        )


def _changed(ref: ArtifactRef, path: Path) -> StorageError:
    return StorageError(
        f"the artifact {ref.name} is not what was stored: it does not fit its hash {ref.sha256[:12]}…",
        hint="it was damaged or edited; delete the file and run the step again to make it anew",
        location=str(path),
    )
