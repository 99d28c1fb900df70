"""Call git so that the same repository gives the same answer on every machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from midas_devops.domain.excerpt import excerpt
from midas_devops.errors import ToolError, UsageError

_OPTIONS = (
    "--no-pager",
    "--literal-pathspecs",
    "--no-replace-objects",
    *("-c", "core.quotePath=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
)
"""What a user's configuration could otherwise turn."""

_FOREIGN = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_TRACE",
        "GIT_WORK_TREE",
    }
)
"""Set while git runs a hook: they would make every call answer for that other repository."""

_MOST_WORDS = 400


@dataclass(frozen=True)
class Answer:
    """What a git command printed. Bytes that are no UTF-8 survive as surrogates: paths stay usable."""

    ok: bool
    text: str
    error: str


class Git:
    """git in one folder, without prompts, pager, hooks' variables or a language of its own."""

    def __init__(self, folder: Path, *, index: Path | None = None) -> None:
        """``index``: a file of its own in the place of the repository's index."""
        self.folder = folder
        self._index = index

    def run(self, *arguments: str) -> Answer:
        """Raises ``ToolError`` when git cannot be started, ``UsageError`` when the folder is not there."""
        with self._started(*arguments) as process:
            out, error = process.communicate()
        return Answer(
            ok=process.returncode == 0,
            text=out.decode("utf-8", "surrogateescape"),
            error=error.decode("utf-8", "replace"),
        )

    def checked(self, *arguments: str) -> str:
        """The output. Raises ``ToolError`` when the command fails."""
        answer = self.run(*arguments)
        if not answer.ok:
            raise self.refused(f"run git {arguments[0]}", answer.error)
        return answer.text

    def lines(self, *arguments: str, end: str = "\n") -> list[str]:
        """The output's lines, or with ``end="\\0"`` the records of a ``-z`` output."""
        return [line for line in self.checked(*arguments).split(end) if line]

    def stream(self, *arguments: str, folder: Path, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        """A started command whose output is read while it works."""
        return self._started(*arguments, folder=folder, complaints=complaints)

    def refused(self, attempted: str, said: str) -> ToolError:
        """git's refusal as ours, with its own words."""
        said = excerpt(" ".join(said.split()), _MOST_WORDS) or "it gave no reason"
        hint = "run the same with git in this folder to see more"
        if "dubious ownership" in said:
            hint = (
                "the repository belongs to another user; if you trust it:"
                f" git config --global --add safe.directory {self.folder}"
            )
        return ToolError(f"could not {attempted}: git says: {said}", hint=hint, location=str(self.folder))

    def _started(
        self, *arguments: str, folder: Path | None = None, complaints: IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is no folder", hint="check --project", location=str(self.folder))
        try:
            return subprocess.Popen(
                ["git", *_OPTIONS, *arguments],
                cwd=folder or self.folder,
                env=_environment(self._index),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
            )
        except OSError as error:
            raise ToolError(
                f"git could not be started: {error.strerror or error}",
                hint="install git 2.30 or later and put it on PATH",
            ) from error


def _environment(index: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    if index is not None:
        kept["GIT_INDEX_FILE"] = str(index)
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
    }
