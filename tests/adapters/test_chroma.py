from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
from midas_devops.errors import ConfigError, StorageError
from midas_devops.testing.knowledge import KnowledgeConformance, OpenKnowledge, hide_secret

LEXICAL = Knowledge(embedder="lexical")


class TestEmbeddedChroma(KnowledgeConformance):
    @pytest.fixture
    def open_knowledge(self) -> Iterator[OpenKnowledge]:
        opened: list[ChromaKnowledge] = []

        def start(root: Path) -> ChromaKnowledge:
            opened.append(ChromaKnowledge(root, LEXICAL, redact=hide_secret))
            return opened[-1]

        yield start
        for knowledge in opened:
            knowledge.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server on loopback."""
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder / "data")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{url}/api/v2/heartbeat").is_success:
                    break
            except httpx.TransportError:
                assert process.poll() is None, (folder / "out").read_text()
                assert time.monotonic() < deadline, (folder / "out").read_text()
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


class TestChromaServer(KnowledgeConformance):
    @pytest.fixture
    def open_knowledge(self, server: str, tmp_path: Path) -> Iterator[OpenKnowledge]:
        settings = Knowledge(embedder="lexical", url=f"{server}/{tmp_path.name.replace('_', '-')}")
        opened: list[ChromaKnowledge] = []

        def start(root: Path) -> ChromaKnowledge:
            opened.append(ChromaKnowledge(root, settings, redact=hide_secret))
            return opened[-1]

        yield start
        for knowledge in opened:
            knowledge.close()

    def test_two_checkouts_share_what_one_added(self, open_knowledge: OpenKnowledge, project: Path) -> None:
        elsewhere = project / "elsewhere"
        elsewhere.mkdir()
        open_knowledge(project).add(["docs"])
        assert open_knowledge(elsewhere).search("roll back a release", 1)[0].kind == "runbook"

    def test_projects_of_one_server_keep_apart(self, server: str, project: Path) -> None:
        orders, billing = (
            ChromaKnowledge(
                project, Knowledge(embedder="lexical", url=f"{server}/{name}"), redact=hide_secret
            )
            for name in ("orders", "billing")
        )
        orders.add(["docs"])
        assert orders.search("rollback")
        assert billing.search("rollback") == []
        orders.close()
        billing.close()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{spare.getsockname()[1]}"
        knowledge = ChromaKnowledge(tmp_path, Knowledge(embedder="lexical", url=url), redact=hide_secret)
        with pytest.raises(StorageError) as caught:
            knowledge.search("anything")
    assert url in caught.value.message


@pytest.mark.parametrize("url", ["chroma:8000", "ftp://host", "http://", "http://host:port"])
def test_a_url_that_is_no_server_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        ChromaKnowledge(tmp_path, Knowledge(url=url), redact=hide_secret)
