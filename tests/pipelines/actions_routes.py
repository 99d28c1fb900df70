"""What the GitHub on loopback answers, request by request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tests.pipelines.actions_server import ActionsServer

NAME = "acme/orders"
Json = dict[str, Any]


def iso(at: datetime) -> str:
    """As GitHub writes a time."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


Answer = tuple[int, Any, dict[str, str]]


def respond(server: ActionsServer, method: str, path: str, query: dict[str, str], body: Json) -> Answer:
    """Status, JSON and headers; 404 for what this GitHub has not."""
    asked = f"{method} {path}"
    for pattern, answer in _ROUTES:
        if found := re.fullmatch(pattern, asked):
            return answer(server, found, query, body)
    if method == "GET" and path in server.settings:
        value = server.settings[path]
        if isinstance(value, int):
            return value, {"message": "Not Found" if value == 404 else "Resource not accessible"}, {}
        return _listed(server, path, value, query) if isinstance(value, list) else (200, value, {})
    return 404, {"message": "Not Found"}, {}


_KEYS = {
    "environments": "environments",
    "secrets": "secrets",
    "organization-secrets": "secrets",
    "variables": "variables",
    "organization-variables": "variables",
    "deployment-branch-policies": "branch_policies",
}


def _listed(server: ActionsServer, path: str, items: list[Any], query: dict[str, str]) -> Answer:
    key = _KEYS.get(path.rsplit("/", 1)[1], "")
    return _page(server, path, items, query, key)


def _page(server: ActionsServer, path: str, items: list[Any], query: dict[str, str], key: str) -> Answer:
    per_page, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    shown = items[(page - 1) * per_page : page * per_page]
    headers = {}
    if page * per_page < len(items):
        following = urlencode({**query, "page": page + 1})
        headers["Link"] = f'<{server.at(path)}?{following}>; rel="next"'
    return 200, ({"total_count": len(items), key: shown} if key else shown), headers


def _repository(server: ActionsServer, *_: Any) -> Answer:
    owner = {"login": "acme", "url": f"{server.url}/users/acme"}
    told = {"full_name": NAME, "name": "orders", "default_branch": "main", "owner": owner}
    return 200, {**told, "url": server.at("")}, {}


def _workflows(server: ActionsServer, _found: Any, query: dict[str, str], _body: Any) -> Answer:
    return _page(server, "/actions/workflows", server.workflows, query, "workflows")


def _runs(server: ActionsServer, found: re.Match[str], query: dict[str, str], _body: Any) -> Answer:
    runs = sorted(server.runs, key=lambda run: (run["created_at"], run["run_number"]), reverse=True)
    if found.groupdict().get("workflow"):
        of = _workflow(server, found["workflow"])
        if of is None:
            return 404, {"message": "Not Found"}, {}
        runs = [run for run in runs if run["workflow_id"] == of["id"]]
    if branch := query.get("branch"):
        runs = [run for run in runs if run["head_branch"] == branch]
    if created := query.get("created"):
        assert created.startswith(">=")
        runs = [run for run in runs if run["created_at"] >= created[2:]]
    path = found[0].removeprefix("GET ")
    return _page(server, path, runs, query, "workflow_runs")


def _run(server: ActionsServer, found: re.Match[str], *_: Any) -> Answer:
    run = next((run for run in server.runs if str(run["id"]) == found[1]), None)
    return (200, run, {}) if run else (404, {"message": "Not Found"}, {})


def _jobs(server: ActionsServer, found: re.Match[str], query: dict[str, str], _body: Any) -> Answer:
    jobs = server.jobs.get(int(found[1]))
    if jobs is None:
        return 404, {"message": "Not Found"}, {}
    if query.get("filter", "latest") == "latest":
        last = max((job["run_attempt"] for job in jobs), default=1)
        jobs = [job for job in jobs if job["run_attempt"] == last]
    return _page(server, found[0].removeprefix("GET "), jobs, query, "jobs")


def _log(server: ActionsServer, found: re.Match[str], *_: Any) -> Answer:
    if int(found[1]) not in server.logs:
        return 410, {"message": "Server Error", "documentation_url": "https://docs.github.example"}, {}
    return 302, None, {"Location": f"{server.url}/blob/{found[1]}?sig=private-signature"}


def _workflow(server: ActionsServer, name: str) -> Json | None:
    return next(
        (one for one in server.workflows if name in (str(one["id"]), one["path"].rsplit("/", 1)[1])), None
    )


def _dispatch(server: ActionsServer, found: re.Match[str], _query: Any, body: Json) -> Answer:
    of = _workflow(server, found[1])
    if of is None:
        return 404, {"message": "Not Found"}, {}
    if "return_run_details" in body and not server.knows_run_details:
        return 422, {"message": 'Invalid request.\n\n"return_run_details" is not a permitted key.'}, {}
    if body["ref"] != "main":
        return 422, {"message": f"No ref found for: {body['ref']}"}, {}
    server.dispatched.append(body)
    run = server.run(None, event="workflow_dispatch", workflow=of["id"], minutes_ago=0)
    if not body.get("return_run_details"):
        return 204, None, {}
    told = {"workflow_run_id": run["id"], "run_url": server.at(f"/actions/runs/{run['id']}")}
    return 200, {**told, "html_url": run["html_url"]}, {}


def _issues(server: ActionsServer, _found: Any, query: dict[str, str], _body: Any) -> Answer:
    issues = [one for one in server.issues if query.get("state", "open") in ("all", one["state"])]
    if labels := query.get("labels"):
        issues = [
            one for one in issues if {label["name"] for label in one["labels"]} >= set(labels.split(","))
        ]
    return _page(server, "/issues", list(reversed(issues)), query, "")


def _make_issue(server: ActionsServer, _found: Any, _query: Any, body: Json) -> Answer:
    labels = tuple(body.get("labels", ())) if server.keeps_labels else ()
    by = "OWNER" if server.keeps_labels else "NONE"
    return 201, server.issue(body["title"], body.get("body", ""), labels=labels, by=by), {}


def _one_issue(server: ActionsServer, found: re.Match[str], _query: Any, body: Json) -> Answer:
    issue = server.issues[int(found[1]) - 1]
    issue.update({key: body[key] for key in ("title", "body", "state") if key in body})
    return 200, issue, {}


def _comments(server: ActionsServer, found: re.Match[str], query: dict[str, str], _body: Any) -> Answer:
    return _page(server, f"/issues/{found[1]}/comments", server.comments[int(found[1])], query, "")


def _comment(server: ActionsServer, found: re.Match[str], _query: Any, body: Json) -> Answer:
    number = int(found[1])
    made = {
        "id": 100 * number + len(server.comments[number]),
        "body": body["body"],
        "user": {"id": 1, "login": "octocat", "type": "User", "url": f"{server.url}/users/octocat"},
        "created_at": iso(server.now),
        "updated_at": iso(server.now),
        "html_url": f"https://github.example/{NAME}/issues/{number}#comment",
    }
    server.comments[number].append(made)
    return 201, made, {}


def _user(server: ActionsServer, *_: Any) -> Answer:
    return 200, {"id": 1, "login": "octocat", "type": "User", "url": f"{server.url}/users/octocat"}, {}


_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"GET ", _repository),
    (r"GET /user", _user),
    (r"GET /actions/workflows", _workflows),
    (r"GET /actions/runs", _runs),
    (r"GET /actions/workflows/(?P<workflow>[^/]+)/runs", _runs),
    (r"GET /actions/runs/(\d+)", _run),
    (r"GET /actions/runs/(\d+)/jobs", _jobs),
    (r"GET /actions/jobs/(\d+)/logs", _log),
    (r"POST /actions/workflows/([^/]+)/dispatches", _dispatch),
    (r"GET /issues", _issues),
    (r"POST /issues", _make_issue),
    (r"(?:GET|PATCH) /issues/(\d+)", _one_issue),
    (r"GET /issues/(\d+)/comments", _comments),
    (r"POST /issues/(\d+)/comments", _comment),
)
