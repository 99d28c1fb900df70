"""A GitHub that remembers, and a project that is tracked there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from midas_devops.adapters.github import GitHubTracker
from tests.github.server import TOKEN, GitHub, serving
from tests.github.shapes import REPOSITORY


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as server:
        yield server


@pytest.fixture
def tracker(github: GitHub) -> GitHubTracker:
    return GitHubTracker(REPOSITORY, TOKEN, github.url)
