"""A GitHub on loopback: the REST API of one repository, in front of a real bare git repository."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.projects import git

NAME = "acme/orders"


class GitHubServer(ThreadingHTTPServer):
    """Git data and pull requests."""

    def __init__(self, bare: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bare = bare
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.pulls: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.fail_on = ""
        """A request that contains it (``POST /pulls``) is answered with 502."""
        self.truncated = False

    def git(self, *arguments: str, stdin: str = "") -> str:
        if not stdin:
            return git(self.bare, *arguments)
        ended = subprocess.run(
            ["git", *arguments], cwd=self.bare, input=stdin, capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    def at(self, path: str) -> str:
        return f"{self.url}/repos/{NAME}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: GitHubServer

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PATCH(self) -> None:
        self._route()

    def _route(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(f"/repos/{NAME}")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        asked = f"{self.command} {path}"
        if self.command != "GET":
            self.server.writes.append(asked)
        if self.server.fail_on and self.server.fail_on in asked:
            self._answer(502, {"message": "Bad Gateway"})
            return
        for pattern, respond in _ROUTES:
            found = re.fullmatch(pattern, asked)
            if found:
                try:
                    self._answer(
                        201 if self.command == "POST" else 200, respond(self.server, found, query, body)
                    )
                except (KeyError, subprocess.CalledProcessError):
                    self._answer(404, {"message": "Not Found"})
                return
        self._answer(404, {"message": f"Not Found: {asked}"})

    def _answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


def _repository(server: GitHubServer, *_: Any) -> Any:
    return {
        "full_name": NAME,
        "name": "orders",
        "default_branch": "main",
        "owner": {"login": "acme", "url": f"{server.url}/users/acme"},
        "url": server.at(""),
    }


def _branch(server: GitHubServer, found: re.Match[str], *_: Any) -> Any:
    return {"name": found[1], "commit": {"sha": server.git("rev-parse", f"refs/heads/{found[1]}")}}


def _tree(server: GitHubServer, found: re.Match[str], query: dict[str, str], *_: Any) -> Any:
    deep = ("-r", "-t") if "recursive" in query else ()
    entries = []
    for line in server.git("ls-tree", *deep, found[1]).splitlines():
        facts, path = line.split("\t")
        mode, kind, sha = facts.split()
        entries.append({"path": path, "mode": mode, "type": kind, "sha": sha})
    sha = server.git("rev-parse", f"{found[1]}^{{tree}}")
    return {"sha": sha, "tree": entries, "truncated": server.truncated, "url": server.at(f"/git/trees/{sha}")}


def _blob(server: GitHubServer, found: re.Match[str], *_: Any) -> Any:
    raw = subprocess.run(
        ["git", "cat-file", "blob", found[1]], cwd=server.bare, capture_output=True, check=True
    ).stdout
    return {"sha": found[1], "content": base64.encodebytes(raw).decode(), "encoding": "base64"}


def _ref(server: GitHubServer, found: re.Match[str], *_: Any) -> Any:
    sha = server.git("rev-parse", "--verify", "--quiet", f"refs/{found[1]}")
    return {
        "ref": f"refs/{found[1]}",
        "object": {"sha": sha, "type": "commit"},
        "url": server.at(f"/git/refs/{found[1]}"),
    }


def _commit(server: GitHubServer, found: re.Match[str], *_: Any) -> Any:
    tree = server.git("rev-parse", f"{found[1]}^{{tree}}")
    return {
        "sha": found[1],
        "message": server.git("log", "-1", "--format=%B", found[1]),
        "tree": {"sha": tree},
    }


def _make_tree(server: GitHubServer, _found: Any, _query: Any, body: dict[str, Any]) -> Any:
    entries = dict(
        reversed(line.split("\t"))  # type: ignore[misc]
        for line in server.git("ls-tree", "-r", body["base_tree"]).splitlines()
    )
    for entry in body["tree"]:
        blob = server.git("hash-object", "-w", "--stdin", stdin=entry["content"])
        entries[entry["path"]] = f"{entry['mode']} blob {blob}"
    return {"sha": _write_tree(server, entries), "tree": []}


def _write_tree(server: GitHubServer, entries: dict[str, str]) -> str:
    """A tree of nested folders from flat paths, as GitHub builds it."""
    folders: dict[str, dict[str, str]] = {}
    lines = []
    for path, facts in entries.items():
        top, _, rest = path.partition("/")
        if rest:
            folders.setdefault(top, {})[rest] = facts
        else:
            lines.append(f"{facts}\t{path}")
    lines += [f"040000 tree {_write_tree(server, inner)}\t{name}" for name, inner in folders.items()]
    return server.git("mktree", stdin="\n".join(lines) + "\n")


def _make_commit(server: GitHubServer, _found: Any, _query: Any, body: dict[str, Any]) -> Any:
    sha = server.git("commit-tree", body["tree"], "-p", body["parents"][0], "-m", body["message"])
    return {"sha": sha, "message": body["message"]}


def _make_ref(server: GitHubServer, _found: Any, _query: Any, body: dict[str, Any]) -> Any:
    server.git("update-ref", body["ref"], body["sha"], "0" * 40)
    return {"ref": body["ref"], "object": {"sha": body["sha"]}}


def _move_ref(server: GitHubServer, found: re.Match[str], _query: Any, body: dict[str, Any]) -> Any:
    assert body.get("force") is False
    server.git("merge-base", "--is-ancestor", f"refs/{found[1]}", body["sha"])
    server.git("update-ref", f"refs/{found[1]}", body["sha"])
    return {"ref": f"refs/{found[1]}", "object": {"sha": body["sha"]}}


def _commits(server: GitHubServer, _found: Any, query: dict[str, str], *_: Any) -> Any:
    shas = server.git("log", "--format=%H", query["sha"], "--", query["path"]).splitlines()
    return [_with_message(server, sha) for sha in shas]


def _with_message(server: GitHubServer, sha: str) -> dict[str, Any]:
    return {"sha": sha, "commit": {"message": server.git("log", "-1", "--format=%B", sha)}}


def _compare(server: GitHubServer, found: re.Match[str], *_: Any) -> Any:
    base, head = (server.git("rev-parse", found[number]) for number in (1, 2))
    common = server.git("merge-base", base, head)
    status = "identical" if base == head else {base: "ahead", head: "behind"}.get(common, "diverged")
    shas = server.git("rev-list", "--reverse", f"{base}..{head}").splitlines()
    return {
        "status": status,
        "url": server.at(f"/compare/{base}...{head}"),
        "total_commits": len(shas),
        "commits": [_with_message(server, sha) for sha in shas],
    }


def _pulls(server: GitHubServer, _found: Any, query: dict[str, str], *_: Any) -> Any:
    state = query.get("state", "open")
    for pull in server.pulls:
        if pull["state"] == "open":
            pull["head"]["sha"] = server.git("rev-parse", f"refs/heads/{pull['head']['ref']}")
    return [pull for pull in server.pulls if state in ("all", pull["state"])]


def _make_pull(server: GitHubServer, _found: Any, _query: Any, body: dict[str, Any]) -> Any:
    number = len(server.pulls) + 1
    pull = {
        "number": number,
        "state": "open",
        "title": body["title"],
        "body": body["body"],
        "merged_at": None,
        "head": {"ref": body["head"], "sha": server.git("rev-parse", f"refs/heads/{body['head']}")},
        "base": {"ref": body["base"]},
        "url": server.at(f"/pulls/{number}"),
        "html_url": f"https://github.example/{NAME}/pull/{number}",
    }
    server.pulls.append(pull)
    return pull


def _edit_pull(server: GitHubServer, found: re.Match[str], _query: Any, body: dict[str, Any]) -> Any:
    pull = server.pulls[int(found[1]) - 1]
    pull.update(body)
    return pull


_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"GET ", _repository),
    (r"GET /branches/(.+)", _branch),
    (r"GET /git/trees/([0-9a-f]+)", _tree),
    (r"GET /git/blobs/([0-9a-f]+)", _blob),
    (r"GET /git/refs?/(heads/.+)", _ref),
    (r"GET /git/commits/([0-9a-f]+)", _commit),
    (r"GET /commits", _commits),
    (r"GET /compare/(\w+)\.\.\.(\w+)", _compare),
    (r"GET /pulls", _pulls),
    (r"POST /git/trees", _make_tree),
    (r"POST /git/commits", _make_commit),
    (r"POST /git/refs", _make_ref),
    (r"PATCH /git/refs/(heads/.+)", _move_ref),
    (r"POST /pulls", _make_pull),
    (r"PATCH /pulls/(\d+)", _edit_pull),
)


@contextmanager
def serving(bare: Path) -> Iterator[GitHubServer]:
    """The server, while the block runs."""
    server = GitHubServer(bare)
    git(bare, "config", "user.name", "GitHub")
    git(bare, "config", "user.email", "noreply@github.example")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
