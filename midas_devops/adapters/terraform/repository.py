"""Finds the repository around a project."""

from __future__ import annotations

from pathlib import Path

from midas_devops.errors import ToolError


def repository_top(root: Path) -> Path:
    """The folder of the repository that the project lies in. Raises ``ToolError`` when there is none."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
    raise ToolError(
        f"an earlier configuration cannot be planned: {root} is not in a git repository",
        hint="keep the configuration in git; then a failed change can be reverted",
        location=str(root),
    )
