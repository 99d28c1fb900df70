"""A PostgreSQL of the tests' own, the one that the ledger is tested on; and a local AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.sql.conftest import database, postgresql

from .aws import Cloud, Proxy, extract_provider

__all__ = ["database", "postgresql"]


@pytest.fixture(scope="session")
def one_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud") / "moto.log")
    yield cloud
    cloud.stop()


@pytest.fixture
def cloud(one_cloud: Cloud) -> Cloud:
    """A local AWS with nothing in it."""
    one_cloud.reset()
    return one_cloud


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command line configuration that knows one provider mirror, on this disk."""
    return extract_provider(tmp_path_factory.mktemp("mirror"))


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[Proxy]:
    proxy = Proxy(cloud)
    yield proxy
    proxy.close()
