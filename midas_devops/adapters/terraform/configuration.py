"""The files that shape one infrastructure configuration: where they are, and what they hash to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from midas_devops.errors import UsageError

_TEXT = (".tf", ".tofu", ".tf.json", ".tofu.json", ".tfvars", ".tfvars.json")
_LOCAL_PATH = re.compile(r'"(?:\$\{path\.(?:module|root)\}/)?(\.{1,2}/[^"$\n]*)"')
_OURS_AND_THE_ENGINES = {
    ".terraform",
    ".terraform.lock.hcl",
    ".git",
    ".midas",
    "terraform.tfstate.d",
    "crash.log",
    "errored.tfstate",
}


@dataclass(frozen=True)
class Configuration:
    """One configuration folder inside a project, and the variables files that were named."""

    root: Path
    folder: Path
    var_files: tuple[Path, ...] = ()

    @property
    def relative(self) -> str:
        """Folder relative to the project, with forward slashes."""
        return self.folder.relative_to(self.root).as_posix()

    def shifted(self, root: Path) -> Configuration:
        """The same configuration in another copy of the project."""
        var_files = tuple(root / path.relative_to(self.root) for path in self.var_files)
        return Configuration(root, root / self.folder.relative_to(self.root), var_files)


def locate(root: Path, config: Path) -> Configuration:
    """A folder, or a file in it, inside the project. A ``.tfvars`` file is passed on to the engine.

    Raises ``UsageError`` when it is not there or outside.
    """
    root = root.resolve()
    path = (root / config).resolve()
    if not path.exists():
        raise UsageError(
            f"the infrastructure configuration '{config}' is not there",
            hint="give a folder with .tf files, or a file in it, relative to the project",
            location=str(path),
        )
    folder = path if path.is_dir() else path.parent
    if not folder.is_relative_to(root):
        raise UsageError(
            f"the infrastructure configuration '{config}' lies outside of the project",
            hint="configurations are part of the project; move it inside",
            location=str(path),
        )
    is_variables = path.name.endswith((".tfvars", ".tfvars.json"))
    return Configuration(root, folder, (path,) if is_variables else ())


def fingerprints(configuration: Configuration) -> dict[str, str]:
    """SHA-256 of every file that shapes the configuration, by path relative to the project.

    All files of the folder, of the local modules it names, and the files and folders that its text names by a
    relative path. Not what the engine itself keeps there: state, backups, lock file, ``.terraform``.
    """
    found: dict[str, str] = {}
    for path in configuration.var_files:
        _add(path, configuration.root, found)
    folders, seen = [configuration.folder], set[Path]()
    while folders:
        folder = folders.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for path in _files(folder):
            _add(path, configuration.root, found)
            if not path.name.endswith(_TEXT):
                continue
            for named in _named_paths(path, configuration.folder):
                if named.is_file():
                    _add(named, configuration.root, found)
                elif named.is_dir() and not _holds_everything(named, configuration):
                    folders.append(named)
    return found


def combined(prints: dict[str, str]) -> str:
    """One hash over :func:`fingerprints`."""
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(prints.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def configuration_text(prints: dict[str, str]) -> dict[str, str]:
    """Those of the fingerprints that the engine reads as configuration or variables."""
    return {path: sha256 for path, sha256 in prints.items() if path.endswith(_TEXT)}


def text_files(configuration: Configuration) -> Iterator[Path]:
    """Configuration and variables files of the root module."""
    for path in sorted(configuration.folder.iterdir()):
        if path.name.endswith(_TEXT) and path.is_file():
            yield path
    yield from configuration.var_files


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _OURS_AND_THE_ENGINES or _is_leftover(path.name):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _files(path)
        elif path.is_file():
            yield path


def _is_leftover(name: str) -> bool:
    is_state = ".tfstate" in name or name.startswith("terraform.tfstate")
    # A ledger may lie here. Closing any descriptor of it would drop this process's locks on it.
    is_ledger = name.endswith((".db", ".db-wal", ".db-shm", ".db-journal"))
    leftover = name.endswith(("~", ".swp", ".tfplan")) or (name[:1] == name[-1:] == "#")
    return is_state or is_ledger or leftover


def _named_paths(file: Path, root_module: Path) -> Iterator[Path]:
    text = file.read_text("utf-8", "replace")
    for match in _LOCAL_PATH.finditer(text):
        base = root_module if "path.root" in match.group(0) else file.parent
        # A module source can name a folder inside a package after a double slash.
        target = (base / match.group(1).replace("//", "/")).resolve()
        if target.exists() and target.name not in _OURS_AND_THE_ENGINES:
            yield target


def _holds_everything(folder: Path, configuration: Configuration) -> bool:
    """A folder above the configuration is not part of it: it may be the whole project, or more."""
    return configuration.folder.is_relative_to(folder) or configuration.root.is_relative_to(folder)


def _add(path: Path, root: Path, found: dict[str, str]) -> None:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else f"outside:{path.name}"
    with path.open("rb") as stream:
        found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
