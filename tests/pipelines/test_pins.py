"""Pins: shipped for offline use, refreshed from GitHub on request, and never a reason to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.adapters.github_pins import newest_pins
from midas_devops.adapters.pipelines_local import BRANCH
from midas_devops.errors import UsageError
from midas_devops.interfaces.cli.main import run
from midas_devops.pipelines.details import parse_details
from midas_devops.pipelines.pins import ACTIONS, newest
from midas_devops.pipelines.plan import draft_pipeline
from midas_devops.pipelines.tree import FolderTree
from tests.pipelines.cases import case
from tests.pipelines.test_repositories import needs_validators
from tests.projects import git, project

CHECKOUT, PYTHON, UPLOAD = "actions/checkout", "actions/setup-python", "actions/upload-artifact"
NEWER, TAG_OBJECT, MOVED = "a" * 40, "b" * 40, "c" * 40


class TagServer(ThreadingHTTPServer):
    """GitHub's git data: tags of the actions, a light one and an annotated one, and one that was moved."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.status = 200

    def tags(self, name: str) -> dict[str, tuple[str, str]]:
        shipped = {ACTIONS[name].version: ("commit", ACTIONS[name].sha)}
        if name == CHECKOUT:
            major = ACTIONS[name].version.partition(".")[0]
            return {
                **shipped,
                f"{major}.99.0": ("tag", TAG_OBJECT),
                f"{major}.99.1-beta": ("commit", "d" * 40),
                f"{major}.9": ("commit", "e" * 40),
            }
        if name == UPLOAD:
            return {ACTIONS[name].version: ("commit", MOVED)}
        return shipped


class _Handler(BaseHTTPRequestHandler):
    server: TagServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = "/".join(path.split("/")[2:4])
        told: Any = {"message": "Not Found"}
        status = 404
        if "/git/matching-refs/tags/" in path:
            status = 200
            told = [
                {"ref": f"refs/tags/{tag}", "object": {"type": kind, "sha": sha}}
                for tag, (kind, sha) in self.server.tags(name).items()
            ]
        elif path.endswith(f"/git/tags/{TAG_OBJECT}"):
            status, told = 200, {"object": {"type": "commit", "sha": NEWER}}
        if self.server.status != 200:
            status, told = self.server.status, {"message": "no"}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def github() -> Iterator[TagServer]:
    server = TagServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_newer_release_of_the_same_major_is_taken_at_its_commit(github: TagServer) -> None:
    found, notes = newest_pins(github.url, "a-token")
    major = ACTIONS[CHECKOUT].version.partition(".")[0]
    assert found == {CHECKOUT: {"sha": NEWER, "version": f"{major}.99.0"}}
    assert notes == [
        f"the tag {ACTIONS[UPLOAD].version} of {UPLOAD} was moved to {MOVED}: the shipped commit stays"
    ]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_github_that_refuses_leaves_the_shipped_pins(
    github: TagServer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    github.status = status
    found, notes = newest_pins(github.url, "a-token")
    assert found == {}
    assert "shipped pin" in notes[0]


def test_without_a_token_nobody_is_asked() -> None:
    found, notes = newest_pins("http://127.0.0.1:9", "")
    assert found == {}
    assert "needs a token" in notes[0]


@needs_validators
def test_refresh_pins_is_part_of_the_request_and_of_the_proposal(
    github: TagServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "token-for-tests")
    files = {
        "midas.toml": '[project]\nrepository = "acme/orders"\n[tracker]\nusing = "github"\ntell = []\n'
        f'api_url = "{github.url}"\n',
        "requirements.txt": "pytest\n",
        "test_app.py": "def test_a(): pass\n",
        ".gitignore": ".midas/\n",
    }
    root = project(tmp_path / "service", files)

    def setup() -> str:
        words = ["--project", str(root), "pipeline", "setup", str(root), "--refresh-pins", "--json"]
        assert run(words) == 0
        assert "was moved to" in capsys.readouterr().err
        return git(root, "rev-parse", BRANCH)

    first = setup()
    text = git(root, "show", f"{BRANCH}:.github/workflows/ci.yml")
    assert f"{CHECKOUT}@{NEWER} # v5.99.0" in text
    assert f"{PYTHON}@{ACTIONS[PYTHON].sha} # {ACTIONS[PYTHON].version}" in text
    assert setup() == first


def test_pins_in_the_details_are_rendered_and_mistakes_in_them_are_errors() -> None:
    tree = FolderTree(case("python-pip").tree)
    pinned = draft_pipeline("here", tree, {"pins": {CHECKOUT: {"sha": NEWER, "version": "v5.1.0"}}})
    assert f"uses: {CHECKOUT}@{NEWER} # v5.1.0" in pinned.files[0].text
    for pins, said in (
        ({"actions/chekout": {"sha": NEWER, "version": "v5.1.0"}}, "which no template uses"),
        ({CHECKOUT: {"sha": "main", "version": "v5.1.0"}}, "full commit"),
        ({CHECKOUT: {"sha": NEWER, "version": "latest"}}, "version such as"),
        (
            {CHECKOUT: {"sha": NEWER, "version": "v5.1.0", "tag": "x"}},
            "'pins.actions/checkout.tag' is not known",
        ),
    ):
        with pytest.raises(UsageError, match=said):
            draft_pipeline("here", tree, {"pins": pins})
    with pytest.raises(UsageError, match="cannot choose pins"):
        draft_pipeline(
            "here", tree, {"platform": "jenkins", "pins": {CHECKOUT: {"sha": NEWER, "version": "v5.1.0"}}}
        )
    assert parse_details({}).pins == {}


@given(st.lists(st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-rc1)?", fullmatch=True)))
def test_the_newest_is_never_older_than_the_shipped_one_nor_of_another_major(tags: list[str]) -> None:
    chosen = newest(CHECKOUT, tags)
    parts, shipped = ([int(p) for p in v[1:].split(".")] for v in (chosen, ACTIONS[CHECKOUT].version))
    assert parts[0] == shipped[0]
    assert parts >= shipped
    assert chosen in {*tags, ACTIONS[CHECKOUT].version}
