"""Real projects, real engines, real processes: the agent as its users have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from tests.projects import free_port, infrastructure_files, project, service_files

Open = Callable[[Path], DevOpsAgent]


@pytest.fixture
def open_agent() -> Iterator[Open]:
    """Agents that are closed at the end; every call is like a new process to the project."""
    with ExitStack() as stack:
        yield lambda root: stack.enter_context(DevOpsAgent.from_project(root))


@pytest.fixture
def service(tmp_path: Path, no_services_left: None) -> Path:
    """A web service; ``web`` is a staging environment that asks nobody."""
    return project(tmp_path / "service", service_files(free_port()))


@pytest.fixture
def guarded_service(tmp_path: Path, no_services_left: None) -> Path:
    """The same service; ``web`` is production and asks one person."""
    files = service_files(free_port(), approvals=1, kind="production")
    return project(tmp_path / "service", files)


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """Built-in Terraform resources; ``cloud`` is a staging environment that asks nobody."""
    return project(tmp_path / "cloud", infrastructure_files())


@pytest.fixture
def guarded_cloud(tmp_path: Path) -> Path:
    """The same configuration; ``cloud`` is production."""
    return project(tmp_path / "cloud", infrastructure_files(kind="production", approvals=1))
