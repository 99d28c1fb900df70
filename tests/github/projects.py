"""A project that is tracked on the GitHub on loopback, with an agent as its users have it."""

from __future__ import annotations

from pathlib import Path

from midas_devops.adapters.sql.ledger import open_ledger
from midas_devops.config import load_settings
from midas_devops.ports.ledger import Message
from tests.github.server import GitHub
from tests.github.shapes import REPOSITORY
from tests.projects import free_port, project, service_files


def tracked(
    folder: Path,
    github: GitHub,
    *,
    approvals: int = 0,
    kind: str = "staging",
    version: str = "1",
    extra: str = "",
) -> Path:
    """The web service of other tests; ``extra`` is the [approvals] table's content."""
    files = service_files(free_port(), approvals=approvals, kind=kind, version=version)
    files["midas.toml"] += f"""
[project]
repository = "{REPOSITORY}"

[tracker]
using = "github"
api_url = "{github.url}"

[approvals]
{extra}
"""
    return project(folder, files)


def messages(root: Path, state: str = "waiting") -> list[Message]:
    """What is in the project's outbox."""
    ledger = open_ledger(load_settings(root).storage.url, root)
    try:
        return ledger.messages(state)  # type: ignore[arg-type]
    finally:
        ledger.close()
