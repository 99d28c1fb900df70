"""Puts an earlier commit of the project where its configuration can be planned against today's state."""

from __future__ import annotations

import shutil
from pathlib import Path

from midas_devops.adapters.git import GitSource
from midas_devops.adapters.terraform.repository import repository_top
from midas_devops.adapters.terraform.workspace import Place
from midas_devops.errors import ToolError
from midas_devops.safety.private import private_folder

_VARIABLES = ("terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json")
_WORKSPACES = "terraform.tfstate.d"


def export_commit(place: Place, commit: str, tree: Path) -> None:
    """Write the whole repository at ``commit`` into ``tree``, once; relative paths to modules hold in it.

    Variables files that are not in the repository are taken from the project as it stands: they hold values
    of this machine or secrets, and no commit has them. Raises ``ToolError``, ``StorageError``.
    """
    if not tree.is_dir():
        private_folder(tree.parent)
        partial = tree.with_name("partial")
        shutil.rmtree(partial, ignore_errors=True)
        GitSource(repository_top(place.real.root)).export(commit, partial)
        partial.rename(tree)
    folder = place.configuration.folder
    if not folder.is_dir():
        raise ToolError(
            f"commit {commit[:12]} has no configuration '{place.real.relative}'",
            hint="choose a later commit",
            location=place.real.relative,
        )
    for pattern in _VARIABLES:
        for path in place.real.folder.glob(pattern):
            if not (folder / path.name).exists():
                shutil.copy(path, folder / path.name)
    for here, there in zip(place.real.var_files, place.configuration.var_files, strict=True):
        if not there.exists():
            private_folder(there.parent)
            shutil.copy(here, there)
    workspaces = place.real.folder / _WORKSPACES
    if workspaces.is_dir() and not (folder / _WORKSPACES).exists():
        (folder / _WORKSPACES).symlink_to(workspaces)
