from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.adapters.file_lock import file_lock
from midas_devops.config import Knowledge
from midas_devops.errors import ConfigError, StorageError
from midas_devops.testing.knowledge import HIDDEN, SECRET, KnowledgeConformance, OpenKnowledge, hide_secret

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


def test_words_that_another_release_indexed_are_indexed_anew(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Queue\n\nMessages wait here.\n")
    (tmp_path / "b.md").write_text("# Bucket\n\nFiles rest here.\n")

    def opened() -> ChromaKnowledge:
        return ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)

    first = opened()
    first.add(["a.md", "b.md"])
    first.close()
    (path,) = (tmp_path / LEXICAL.path / "lexical").glob("*/rows.json")
    state = json.loads(path.read_text())
    # The other release counted other terms: what is "queue" here was "bucket" there.
    swapped = {"queue": "bucket", "bucket": "queue"}
    state["vocabulary"] = {swapped.get(word, word): number for word, number in state["vocabulary"].items()}
    path.write_text(json.dumps(state))
    as_is = opened()
    (hit,) = as_is.search("bucket", 1)
    kind = hit.kind
    assert hit.source == "a.md"
    as_is.close()

    path.write_text(json.dumps(state | {"analysis": "of another release"}))
    beside = opened()
    with file_lock(tmp_path / LEXICAL.path / "lock", 0.0) as ours:
        assert ours
        # Somebody adds right now: words of our own for this search, and nothing touched.
        (hit,) = beside.search("bucket", 1, kinds=[kind])
    assert hit.source == "b.md"
    assert json.loads(path.read_text())["analysis"] == "of another release"
    beside.close()
    later = opened()
    assert later.search("bucket", 1)[0].source == "b.md"
    assert not path.exists()
    later.close()


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


class TestSecretsInFileNames:
    @pytest.fixture
    def knowledge(self, tmp_path: Path) -> Iterator[ChromaKnowledge]:
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / f"{SECRET}.md").write_text("# Rollback\nSwitch the port back.\n")
        opened = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
        yield opened
        opened.close()

    def test_they_are_neither_told_nor_stored(self, knowledge: ChromaKnowledge, tmp_path: Path) -> None:
        (tmp_path / "docs" / f"{SECRET}.bin").write_bytes(b"\0")
        report = knowledge.add(["docs", f"{SECRET}.txt"])
        assert report.added == 1
        assert SECRET not in str(report)
        assert [hit.source for hit in knowledge.search("roll back")] == [f"docs/{HIDDEN}.md"]
        knowledge.close()
        stored = [path for path in (tmp_path / LEXICAL.path).rglob("*") if path.is_file()]
        assert stored
        assert [path for path in stored if SECRET.encode() in path.read_bytes()] == []

    def test_such_a_file_is_known_again_and_taken_out_when_it_is_gone(
        self, knowledge: ChromaKnowledge, tmp_path: Path
    ) -> None:
        knowledge.add(["docs"])
        again = knowledge.add(["docs"])
        assert (again.added, again.removed, again.unchanged) == (0, 0, 1)
        (tmp_path / "docs" / f"{SECRET}.md").unlink()
        assert knowledge.add([f"docs/{SECRET}.md"]).removed == 1
        assert knowledge.search("roll back") == []

    def test_files_that_only_a_secret_tells_apart_stay_apart(
        self, knowledge: ChromaKnowledge, tmp_path: Path
    ) -> None:
        (tmp_path / "docs" / f"{HIDDEN}.md").write_text("# Scaling\nAdd a replica.\n")
        assert knowledge.add(["docs"]).added == 2
        assert {hit.source for hit in knowledge.search("roll back scaling replica")} == {
            f"docs/{HIDDEN}.md",
            f"docs/{HIDDEN}.md (2)",
        }

    def test_a_name_that_was_stored_raw_is_hidden_at_once_and_replaced_by_the_next_add(
        self, knowledge: ChromaKnowledge, tmp_path: Path
    ) -> None:
        former = ChromaKnowledge(tmp_path, LEXICAL, redact=lambda text: text)
        former.add(["docs"])
        former.close()
        assert [hit.source for hit in knowledge.search("roll back")] == [f"docs/{HIDDEN}.md"]
        report = knowledge.add(["docs"])
        assert (report.added, report.removed) == (1, 1)
        assert [hit.source for hit in knowledge.search("roll back")] == [f"docs/{HIDDEN}.md"]
