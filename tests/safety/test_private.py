"""Private folders and files, written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from midas_devops.errors import StorageError
from midas_devops.safety.private import private_folder, project_folder, write_private, written_whole


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_private_folder_is_0700_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        made = private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(old)
    assert mode(made) == 0o700
    assert mode(tmp_path / "a") == 0o700


def test_an_open_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert mode(private_folder(tmp_path / "open")) == 0o700


def test_a_private_file_is_0600_and_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o644)
    write_private(target, b"new")
    assert (target.read_bytes(), mode(target)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_raises_leaves_the_old_content_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_private(target, b"old")

    def fail_half_way() -> None:
        with written_whole(target) as stream:
            stream.write(b"half of the")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_in_the_middle_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_private(target, b"old")
    code = """
        import sys, signal, os
        from pathlib import Path
        from midas_devops.safety.private import written_whole
        with written_whole(Path(sys.argv[1])) as stream:
            stream.write(b"half" * 100_000)
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(target)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["missing/file", "file/below", "n" * 300])
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StorageError) as caught:
        write_private(tmp_path / name, b"x")
    assert caught.value.location == str(tmp_path / name)
    assert caught.value.hint


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    write_private(tmp_path / ("n" * 250), b"x")


def test_the_project_s_folder_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, timeout=60)
    folder = project_folder(tmp_path)
    (folder / "secret").write_text("x")
    assert mode(folder) == 0o700
    status = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert status.stdout == ""
    assert project_folder(tmp_path) == folder


def test_a_gitignore_of_somebody_s_own_stays(tmp_path: Path) -> None:
    ignore = project_folder(tmp_path) / ".gitignore"
    ignore.write_text("mine\n")
    project_folder(tmp_path)
    assert ignore.read_text() == "mine\n"
