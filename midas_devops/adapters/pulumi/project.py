"""One Pulumi project and one of its stacks: where it is, what belongs to it, where its state lies."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from midas_devops.adapters.git import GitSource
from midas_devops.adapters.terraform.repository import repository_top
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import ToolError, UsageError
from midas_devops.safety.private import private_folder

FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
_STACK_FILE = re.compile(r"Pulumi\.(?P<stack>.+)\.(?:yaml|yml|json)")
_NAME = re.compile(r"""^\s*"?name"?\s*:\s*["']?([\w.-]+)""", re.M)
_BACKEND = re.compile(r"""^\s*"?backend"?\s*:[^#]*?"?url"?\s*:\s*["']?([^\s"'},]+)""", re.M)
_VIRTUALENV = re.compile(r"""^\s*"?virtualenv"?\s*:\s*["']?([\w./-]+)""", re.M)
_NOT_OURS = {".git", ".midas", ".pulumi", "node_modules", "__pycache__", "venv", ".venv", ".pytest_cache"}
_LEFTOVER = ("~", ".swp", ".pyc", ".db", ".db-wal", ".db-shm", ".db-journal")


@dataclass(frozen=True)
class Project:
    """A folder with ``Pulumi.yaml``, and the stack that an environment has in it."""

    root: Path
    folder: Path
    stack: str
    real: Path
    """Where the folder stands in the project; differs from ``folder`` for an earlier commit."""

    @property
    def relative(self) -> str:
        """The configuration's folder relative to the project, with forward slashes."""
        return self.real.relative_to(self.root).as_posix()

    @property
    def name(self) -> str:
        """The project's name; empty while its file cannot be read."""
        return _found(_NAME, self.folder)

    def backend(self, environ: Mapping[str, str]) -> str:
        """URL of the state's backend as Pulumi would choose it; empty when nothing names one."""
        url = environ.get("PULUMI_BACKEND_URL") or _found(_BACKEND, self.real) or _logged_in(environ)
        return f"file://{_file_path(url, self.real)}" if url.startswith("file://") else url


def is_pulumi(folder: Path) -> bool:
    """Whether a folder holds a Pulumi project and no Terraform."""
    return any((folder / name).is_file() for name in FILES) and not any(folder.glob("*.tf*"))


def locate(root: Path, config: Path, stack: str) -> Project:
    """A folder, or a file in it, inside the project. ``Pulumi.NAME.yaml`` names the stack too.

    Raises ``UsageError`` when it is not there, outside, or holds no Pulumi project.
    """
    root = root.resolve()
    path = (root / config).resolve()
    folder = path if path.is_dir() else path.parent
    if not path.exists() or not any((folder / name).is_file() for name in FILES):
        raise UsageError(
            f"'{config}' holds no Pulumi project",
            hint="give a folder with Pulumi.yaml, or a file in it, relative to the project",
            location=str(path),
        )
    if not folder.is_relative_to(root):
        raise UsageError(
            f"the infrastructure configuration '{config}' lies outside of the project",
            hint="configurations are part of the project; move it inside",
            location=str(path),
        )
    named = _STACK_FILE.fullmatch(path.name)
    return Project(root, folder, named["stack"] if named else stack, folder)


def at_commit(project: Project, commit: str, home: Path) -> Project:
    """The same project as it stood at ``commit``, written below ``home`` once.

    What no commit has is taken from today's: the stack's settings where they are not committed, and the
    installed packages of the program. Raises ``ToolError``, ``StorageError``.
    """
    top = repository_top(project.root)
    tree = home / commit / "tree"
    if not tree.is_dir():
        private_folder(tree.parent)
        partial = tree.with_name("partial")
        shutil.rmtree(partial, ignore_errors=True)
        GitSource(top).export(commit, partial)
        partial.rename(tree)
    folder = tree / project.real.relative_to(top)
    if not any((folder / name).is_file() for name in FILES):
        raise ToolError(
            f"commit {commit[:12]} has no Pulumi project '{project.relative}'",
            hint="choose a later commit",
            location=project.relative,
        )
    short = project.stack.rsplit("/", 1)[-1]
    for path in project.real.glob(f"Pulumi.{short}.*"):
        if not (folder / path.name).exists():
            shutil.copy(path, folder / path.name)
    for name in {"node_modules", _found(_VIRTUALENV, project.real)} - {""}:
        if (project.real / name).is_dir() and not (folder / name).exists():
            (folder / name).symlink_to(project.real / name)
    return Project(project.root, folder, project.stack, project.real)


def fingerprint(project: Project) -> str:
    """One hash over every file of the project's folder: program, settings of all stacks, policies.

    Not over what Pulumi, the language or an editor keeps there, nor over packages that are installed: those
    the lock file of the language pins. A program that reads files outside of its folder is not followed.
    """
    virtualenv = (project.folder / (_found(_VIRTUALENV, project.folder) or "venv")).resolve()
    prints = {}
    for path in _files(project.folder, virtualenv):
        with path.open("rb") as stream:
            name = path.relative_to(project.folder).as_posix()
            prints[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sha256_hex(canonical_json(prints))


def _files(folder: Path, virtualenv: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_OURS or path.name.endswith(_LEFTOVER) or path.resolve() == virtualenv:
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _files(path, virtualenv)
        elif path.is_file():
            yield path


def _found(pattern: re.Pattern[str], folder: Path) -> str:
    for name in FILES:
        try:
            text = (folder / name).read_text("utf-8", "replace")
        except OSError:
            continue
        match = pattern.search(text)
        return match[1] if match else ""
    return ""


def _logged_in(environ: Mapping[str, str]) -> str:
    """The backend of ``pulumi login``."""
    home = environ.get("PULUMI_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".pulumi")
    try:
        return str(json.loads((Path(home) / "credentials.json").read_bytes()).get("current") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _file_path(url: str, base: Path) -> Path:
    """A relative one counts from the project's folder."""
    return (base / Path(url.removeprefix("file://")).expanduser()).resolve()
