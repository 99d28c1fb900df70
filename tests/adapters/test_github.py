"""The GitHub tracker, against a server on loopback that keeps issues as GitHub's REST API does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from midas_devops.adapters.github import GitHubTracker
from midas_devops.config import Project, Settings, Tracker
from midas_devops.errors import ConfigError, ToolError

REPOSITORY = "acme/orders"


class GitHubServer(ThreadingHTTPServer):
    """Issues and comments of one repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.issue: dict[str, Any] = {
            "number": 7,
            "title": "Deploy v1",
            "body": "please",
            "state": "open",
            "labels": [{"name": "deploy"}],
            "url": f"{self.url}/repos/{REPOSITORY}/issues/7",
            "html_url": "https://github.example/7",
        }
        self.comments: list[dict[str, Any]] = []
        self.fail_with: int | None = None
        self.tokens: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: GitHubServer

    def do_GET(self) -> None:
        if self.path.split("?")[0].endswith("/comments"):
            self._answer(200, self.server.comments)
        elif re.search(r"/issues/7$", self.path):
            self._answer(200, self.server.issue)
        else:
            self._answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        body = self._body()
        number = len(self.server.comments) + 1
        comment = {
            "id": number,
            "body": body["body"],
            "url": f"{self.server.url}/repos/{REPOSITORY}/issues/comments/{number}",
            "html_url": f"https://github.example/7#{number}",
        }
        self.server.comments.append(comment)
        self._answer(201, comment)

    def do_PATCH(self) -> None:
        body = self._body()
        if "/comments/" in self.path:
            comment = self.server.comments[int(self.path.rsplit("/", 1)[1]) - 1]
            comment.update(body)
            self._answer(200, comment)
            return
        if "labels" in body:
            body["labels"] = [{"name": name} for name in body["labels"]]
        self.server.issue.update(body)
        self._answer(200, self.server.issue)

    def _body(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return read

    def _answer(self, status: int, value: Any) -> None:
        self.server.tokens.add(self.headers.get("Authorization", ""))
        if self.server.fail_with:
            status, value = self.server.fail_with, {"message": "API rate limit exceeded"}
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    server = GitHubServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tracker(github: GitHubServer) -> GitHubTracker:
    return GitHubTracker(REPOSITORY, "token-for-tests", github.url)


def test_an_issue_is_read(tracker: GitHubTracker) -> None:
    issue = tracker.get_issue(7)
    assert (issue.number, issue.title, issue.state, issue.labels) == (7, "Deploy v1", "open", ("deploy",))


def test_an_issue_is_updated_in_the_named_fields_only(tracker: GitHubTracker, github: GitHubServer) -> None:
    assert tracker.update_issue(7, state="closed", labels=("done",)).state == "closed"
    assert (github.issue["title"], github.issue["labels"]) == ("Deploy v1", [{"name": "done"}])


def test_a_comment_with_the_same_marker_is_edited_not_repeated(
    tracker: GitHubTracker, github: GitHubServer
) -> None:
    first = tracker.add_issue_comment(7, "deploying", marker="run-1")
    second = tracker.add_issue_comment(7, "deployed", marker="run-1")
    tracker.add_issue_comment(7, "another run", marker="run-10")
    assert first == second
    assert [comment["body"].split("\n")[0] for comment in github.comments] == ["deployed", "another run"]


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502])
def test_a_refusal_is_an_error_that_says_what_was_tried(
    tracker: GitHubTracker, github: GitHubServer, status: int
) -> None:
    github.fail_with = status
    with pytest.raises(ToolError, match=f"comment on issue 7 .*{status}"):
        tracker.add_issue_comment(7, "x", marker="run-1")


def test_an_outage_is_an_error_that_says_so() -> None:
    with pytest.raises(ToolError, match="could not read issue 7"):
        GitHubTracker(REPOSITORY, "token", "http://127.0.0.1:9").get_issue(7)


def test_the_token_goes_to_the_server_and_nowhere_else(tracker: GitHubTracker, github: GitHubServer) -> None:
    tracker.get_issue(7)
    assert github.tokens == {"token token-for-tests"}
    assert "token-for-tests" not in repr(vars(tracker).keys())


def test_a_tracker_without_repository_or_token_is_a_configuration_error() -> None:
    using = Tracker(using="github")
    with pytest.raises(ConfigError, match="repository"):
        GitHubTracker.from_settings(Settings(tracker=using), {"GITHUB_TOKEN": "x"})
    with pytest.raises(ConfigError, match="GITHUB_TOKEN"):
        GitHubTracker.from_settings(Settings(tracker=using, project=Project(repository="a/b")), {})
