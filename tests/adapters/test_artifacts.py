"""Artifacts on a local disk and in a store behind fsspec."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import ConfigError, StorageError
from midas_devops.testing.artifacts import ArtifactsConformance


class TestLocalFolder(ArtifactsConformance):
    """Public artifacts in a folder."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> LocalArtifacts:
        return open_artifacts(".midas/artifacts", tmp_path)


class TestFsspecStore(ArtifactsConformance):
    """Public artifacts in a store that is no folder."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> Iterator[LocalArtifacts]:
        from fsspec.implementations.memory import MemoryFileSystem

        yield open_artifacts(f"memory://midas{tmp_path}", tmp_path)
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return open_artifacts(".midas/artifacts", tmp_path)


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_private_artifacts_are_for_their_owner_only(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        artifacts.put(b"secret", "plan.bin", private=True)
    finally:
        os.umask(old)
    private = tmp_path / ".midas" / "artifacts" / "private"
    assert {path.stat().st_mode & 0o777 for path in files_below(private)} == {0o600}
    folders = [tmp_path / ".midas", private, *(path for path in private.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_private_artifacts_stay_on_the_disk_when_public_ones_do_not(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    artifacts = open_artifacts("memory://somewhere", tmp_path)
    artifacts.put(b"secret", "plan.bin", private=True)
    assert MemoryFileSystem.store == {}
    assert any(path.read_bytes() == b"secret" for path in files_below(tmp_path / ".midas"))


def test_git_ignores_everything_of_ours(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    artifacts.put(b"x", "x")
    assert (tmp_path / ".midas" / ".gitignore").read_text() == "*\n"


def test_content_lies_under_its_hash(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    ref = artifacts.put(b"x", "x.log")
    expected = tmp_path / ".midas" / "artifacts" / ref.sha256[:2] / ref.sha256
    assert artifacts.path(ref) == expected


@pytest.mark.parametrize("private", [False, True])
def test_changed_content_is_noticed_whichever_way_it_is_read(tmp_path: Path, private: bool) -> None:
    artifacts = open_artifacts("public", tmp_path)
    ref = artifacts.put(b"right", "x.log", private=private)
    artifacts.path(ref).write_bytes(b"wrong")
    for read in (artifacts.get, artifacts.path, artifacts.open):
        with pytest.raises(StorageError, match="does not fit its hash"):
            read(ref)


def test_storing_again_repairs_damaged_content(artifacts: LocalArtifacts) -> None:
    ref = artifacts.put(b"right", "x.log")
    artifacts.path(ref).write_bytes(b"wrong")
    assert artifacts.get(artifacts.put(b"right", "x.log")) == b"right"


def test_an_object_that_was_changed_in_the_store_is_noticed(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    artifacts = open_artifacts("memory://changed", tmp_path)
    ref = artifacts.put(b"right", "x.log")
    [name] = [name for name in MemoryFileSystem.store if name.endswith(ref.sha256)]
    MemoryFileSystem().pipe_file(name, b"wrong")
    with pytest.raises(StorageError, match="does not fit its hash"):
        artifacts.get(ref)


def test_a_store_nobody_has_a_driver_for_is_a_configuration_error(tmp_path: Path) -> None:
    artifacts = open_artifacts("nosuchscheme://bucket/x", tmp_path)
    with pytest.raises(ConfigError, match="nosuchscheme") as caught:
        artifacts.put(b"x", "x")
    assert caught.value.location == "midas.toml: storage.artifacts"


def test_a_file_in_the_way_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    artifacts = open_artifacts("public", tmp_path)
    with pytest.raises(StorageError) as caught:
        artifacts.put(b"x", "x")
    assert "file stands where a folder should be" in caught.value.hint


_FILL = """
    import resource, signal, sys
    from pathlib import Path
    from midas_devops.adapters.artifacts import open_artifacts
    from midas_devops.errors import StorageError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    artifacts = open_artifacts("public", Path(sys.argv[1]))
    kept = artifacts.put(b"small", "small")
    for private in (False, True):
        try:
            artifacts.put(b"x" * 200_000, "large", private=private)
        except StorageError as error:
            print(error.message, "|", error.hint)
    assert artifacts.get(kept) == b"small"
"""


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FILL), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    hint = "the file is larger than this process may write: raise the limit (ulimit -f)"
    assert done.stdout.splitlines() == [f"could not write: File too large | {hint}"] * 2
    left = [path for path in files_below(tmp_path) if path.stat().st_size > 10_000 or "partial" in path.name]
    assert left == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        timeout=30,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here: needs root, and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_full_disk_says_so_and_leaves_nothing_half_written(tiny_disk: Path) -> None:
    artifacts = open_artifacts("public", tiny_disk)
    kept = artifacts.put(b"small", "small", private=True)
    with pytest.raises(StorageError, match="No space left") as caught:
        artifacts.put(os.urandom(2 << 20), "large", private=True)
    assert "the disk is full" in caught.value.hint
    assert artifacts.get(kept) == b"small"
    assert [path for path in files_below(tiny_disk) if "partial" in path.name] == []


def test_a_huge_file_is_streamed(tmp_path: Path) -> None:
    source = tmp_path / "huge.log"
    with source.open("wb") as stream:
        stream.truncate(120 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    artifacts = open_artifacts("public", tmp_path)
    ref = artifacts.put_file(source, "huge.log", private=True)
    with artifacts.open(ref) as stream:
        assert stream.read(4) == b"\0\0\0\0"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 << 10, f"{grown} KiB more memory"


def test_a_log_that_grows_meanwhile_is_stored_as_it_was(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    source = tmp_path / "live.log"
    source.write_bytes(b"line\n" * 1000)
    stop = threading.Event()

    def write_on() -> None:
        with source.open("ab") as stream:
            while not stop.is_set():
                stream.write(b"more\n")
                stream.flush()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        ref = artifacts.put_file(source, "live.log")
    finally:
        stop.set()
        writer.join()
    stored = artifacts.get(ref)
    assert stored.startswith(b"line\n" * 1000)
    assert hashlib.sha256(stored).hexdigest() == ref.sha256


def test_many_threads_may_store_the_same_content(artifacts: LocalArtifacts) -> None:
    data = os.urandom(300_000)
    refs: list[ArtifactRef] = []
    threads = [threading.Thread(target=lambda: refs.append(artifacts.put(data, "same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refs) == 8
    assert len(set(refs)) == 1
    assert artifacts.get(refs[0]) == data


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000), name=st.text(st.characters(), max_size=40), private=st.booleans())
def test_any_content_under_any_name_comes_back(
    artifacts: LocalArtifacts, data: bytes, name: str, private: bool
) -> None:
    ref = artifacts.put(data, name, private=private)
    assert artifacts.get(ref) == data
    assert artifacts.find(ref.sha256) is not None
