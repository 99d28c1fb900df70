"""One cluster for all tests of a process; a namespace of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.kubernetes.cluster import Cluster, missing, running
from tests.adapters.kubernetes.place import Place

HOW = "make tools (builds them from their Go modules)"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server with its controllers."""
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)}: {HOW}")
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def place(tmp_path: Path, cluster: Cluster) -> Iterator[Place]:
    """A project with manifests in git, and a namespace for it."""
    made = Place(tmp_path / "project", cluster)
    yield made
    cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")
