"""Make the demo's project: a copy of ``examples/orders`` as a git repository with three tags."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from midas_devops.errors import ToolError, UsageError
from midas_devops.interfaces.demo.services import stop_services

MARKER = ".midas-demo"
EXAMPLE = "orders"
VERSIONS = {
    "v1.0.0": "Place, list and read orders",
    "v1.1.0": "Orders have a currency; turnover adds them up",
    "v1.2.0": "Production moves to the shared database cluster",
}
_SHIPPED_PORTS = {"staging": "8081", "production": "8082"}
_SHIPPED_DATA = "/tmp/orders"  # noqa: S108 - the text that is replaced
_IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Demo Developer"), ("EMAIL", "demo@orders.example"))
}


@dataclass(frozen=True)
class DemoProject:
    """The repository that the demo works on."""

    folder: Path
    commits: dict[str, str]
    """Tag → full hash."""
    ports: dict[str, int]
    """Environment → port."""

    def url(self, environment: str) -> str:
        return f"http://127.0.0.1:{self.ports[environment]}"

    def check_out(self, version: str) -> None:
        """Put the working tree on a tag."""
        _git(self.folder, "checkout", "--quiet", version)

    def worktree(self, version: str) -> Path:
        """A second working tree with exactly that tag, as a build machine would have it."""
        path = self.folder / "checkouts" / version
        if not path.exists():
            _git(self.folder, "worktree", "add", "--quiet", "--detach", str(path), version)
        return path

    def __str__(self) -> str:
        """As a person types it: relative to where they stand when it lies below."""
        here = Path.cwd()
        return str(self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder)


def example_folder() -> Path:
    """Where the example lies: inside the installed package, or in a checkout beside it."""
    package = Path(str(files("midas_devops")))
    for folder in (package / "_examples" / EXAMPLE, package.parent / "examples" / EXAMPLE):
        if (folder / "midas.toml").is_file():
            return folder
    raise ToolError(
        f"looked for the example '{EXAMPLE}' in the package and beside it: it is not there",
        hint="install midas-devops again; the wheel carries the example",
        location=str(package),
    )


def create_project(folder: Path) -> DemoProject:
    """A fresh project in ``folder``, with its tags made and ``v1.0.0`` checked out.

    An earlier demo there is stopped and replaced; anything else there is left alone. Raises ``UsageError``
    when the folder is somebody else's, ``ToolError`` when git cannot do its part.
    """
    folder = folder.resolve()
    if shutil.which("git") is None:
        raise ToolError("looked for git on PATH: it is not there", hint="install git, then try again")
    _clear(folder)
    example = example_folder()
    ignored = shutil.ignore_patterns("versions", "__pycache__", "*.pyc", ".terraform", "*.tfstate*")
    shutil.copytree(example, folder, ignore=ignored, dirs_exist_ok=True)
    ports = dict(zip(_SHIPPED_PORTS, _free_ports(len(_SHIPPED_PORTS)), strict=True))
    _fit_to_machine(folder, ports)
    _git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    commits: dict[str, str] = {}
    for version, subject in VERSIONS.items():
        overlay = example / "versions" / version
        if overlay.is_dir():
            shutil.copytree(overlay, folder, ignore=ignored, dirs_exist_ok=True)
        _git(folder, "add", "--all")
        _git(folder, "commit", "--quiet", "--message", subject)
        _git(folder, "tag", version)
        commits[version] = _git(folder, "rev-parse", "HEAD").strip()
    project = DemoProject(folder, commits, ports)
    project.check_out("v1.0.0")
    return project


def _clear(folder: Path) -> None:
    if folder.exists():
        ours = (folder / MARKER).is_file()
        if not folder.is_dir() or (not ours and any(folder.iterdir())):
            raise UsageError(
                f"wanted to make the demo's project in {folder}: something else is there",
                hint="move it away, or run the demo in another folder",
                location=str(folder),
            )
        stop_services(folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARKER).write_text(
        "made by 'midas-devops demo', which replaces this folder when it runs again\n"
    )


def _fit_to_machine(folder: Path, ports: dict[str, int]) -> None:
    """Free ports, and a data folder inside the demo's own, in every file that names them."""
    replaced = {_SHIPPED_PORTS[environment]: str(port) for environment, port in ports.items()}
    replaced[_SHIPPED_DATA] = str(folder / "data")
    for file in (folder / "midas.toml", *sorted(folder.glob("infra/*/terraform.tfvars"))):
        text = file.read_text()
        file.write_text(re.sub("|".join(replaced), lambda found: replaced[found[0]], text))
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write(f"{MARKER}\n")


def _free_ports(count: int) -> Iterator[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        free = [int(one.getsockname()[1]) for one in sockets]
    yield from free


def _git(folder: Path, *words: str) -> str:
    # The person's own git settings (signing, hooks, templates) have no say in a demo.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**clean, **_IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    ended = subprocess.run(
        ["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise ToolError(
            f"tried 'git {words[0]}' in {folder}: {ended.stderr.strip() or f'exit code {ended.returncode}'}",
            hint="check that git works here and that the disk is not full",
            location=str(folder),
        )
    return ended.stdout


def tool_environment() -> dict[str, str]:
    """Our environment, with this interpreter's programs first on PATH, as an activated one has them."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{path}",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The example's tests need no plugin, and those of this installation take seconds to load.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
