"""The GitHub on loopback answers as GitHub's own description of its REST API says.

The description is ``generated/api.github.com.json`` of the npm package @octokit/openapi, made from
github/rest-api-description; it has 13 MB and is not kept here. ``make tools`` fetches it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
import requests

from tests.github.server import TOKEN, GitHub
from tests.github.shapes import REPOSITORY
from tests.tools import tools_folder

VERSION = "23.0.2"
DESCRIPTION = (
    tools_folder() / f"npm/openapi-{VERSION}/node_modules/@octokit/openapi/generated/api.github.com.json"
)
SHA = "c" * 40
DIGEST = "d" * 64

CALLS: list[tuple[str, str, Any]] = [
    ("get", "/user", None),
    ("get", "/repos/{owner}/{repo}/issues/7", None),
    ("patch", "/repos/{owner}/{repo}/issues/7", {"state": "closed", "labels": ["done"]}),
    ("post", "/repos/{owner}/{repo}/issues/7/comments", {"body": "hello"}),
    ("get", "/repos/{owner}/{repo}/issues/7/comments", None),
    ("patch", "/repos/{owner}/{repo}/issues/comments/9001", {"body": "hello again"}),
    *(("get", f"/repos/{{owner}}/{{repo}}/collaborators/{name}/permission", None) for name in
      ("ana", "ben", "eve", "root", "nobody")),
    ("post", "/repos/{owner}/{repo}/deployments",
     {"ref": SHA, "environment": "production", "payload": {"a": "b"}, "required_contexts": []}),
    ("get", "/repos/{owner}/{repo}/deployments", None),
    ("post", "/repos/{owner}/{repo}/deployments/301/statuses",
     {"state": "success", "environment_url": "https://orders.example", "auto_inactive": False}),
    ("get", "/repos/{owner}/{repo}/deployments/301/statuses", None),
    ("post", f"/repos/{{owner}}/{{repo}}/statuses/{SHA}",
     {"state": "success", "context": "midas-devops/production", "description": "v1"}),
    ("get", f"/repos/{{owner}}/{{repo}}/commits/{SHA}/status", None),
    ("get", "/repos/{owner}/{repo}/actions/workflows", None),
    ("get", "/repos/{owner}/{repo}/actions/workflows/deploy.yml", None),
    ("post", "/repos/{owner}/{repo}/actions/workflows/deploy.yml/dispatches",
     {"ref": "main", "inputs": {"marker": "m"}, "return_run_details": True}),
    ("post", "/repos/{owner}/{repo}/actions/workflows/deploy.yml/dispatches",
     {"ref": "main", "inputs": {"marker": "m"}}),
    ("get", "/repos/{owner}/{repo}/actions/runs", None),
    ("get", "/repos/{owner}/{repo}/actions/workflows/deploy.yml/runs", None),
    ("get", "/repos/{owner}/{repo}/actions/runs/501", None),
    ("get", "/repos/{owner}/{repo}/actions/runs/501", None),
    ("get", "/repos/{owner}/{repo}/actions/runs/501/jobs", None),
    ("get", "/repos/{owner}/{repo}/actions/jobs/5010/logs", None),
    ("post", "/repos/{owner}/{repo}/actions/runs/502/cancel", None),
    ("post", "/repos/{owner}/{repo}/actions/runs/501/cancel", None),
    ("get", "/repos/{owner}/{repo}/issues/99", None),
]  # fmt: skip


@cache
def description() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip("GitHub's description of its API is not here: make tools")
    found: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    return found


def operation(method: str, path: str) -> dict[str, Any]:
    """The described operation that a call belongs to; a literal segment wins over a placeholder."""

    def fits(template: str) -> bool:
        parts = [re.escape(part) if "{" not in part else "[^/]+" for part in template.split("/")]
        return (
            re.fullmatch("/".join(parts), path.replace("{owner}", "acme").replace("{repo}", "orders"))
            is not None
        )

    fitting = [template for template in description()["paths"] if fits(template)]
    template = min(fitting, key=lambda found: found.count("{"))
    described: dict[str, Any] = description()["paths"][template][method]
    return described


def schema_of(node: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON body's schema, in JSON Schema's words, with everything that it refers to."""
    if "$ref" in node:
        node = resolved(node["$ref"])
    body = (node.get("content") or {}).get("application/json")
    if body is None:
        return None
    used: dict[str, Any] = {}
    schema: dict[str, Any] = translated(body["schema"], used)
    return {**schema, "$defs": used}


def resolved(reference: str) -> dict[str, Any]:
    node = description()
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def translated(node: Any, used: dict[str, Any]) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema says ``null``."""
    if isinstance(node, list):
        return [translated(item, used) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        name = node["$ref"].rsplit("/", 1)[1]
        if name not in used:
            used[name] = {}
            used[name] = translated(resolved(node["$ref"]), used)
        return {"$ref": f"#/$defs/{name}"}
    told = {key: translated(value, used) for key, value in node.items() if key not in ("example", "examples")}
    return {"anyOf": [told, {"type": "null"}]} if node.get("nullable") is True else told


@pytest.fixture(scope="module")
def answers() -> Iterator[list[tuple[str, dict[str, Any], requests.Response, Any]]]:
    """Every call, in order, to one server: what is made by one is read by the next."""
    from tests.github.server import serving

    description()
    with serving() as github:
        yield [(f"{method} {path}", operation(method, path), send(github, method, path, body), body)
               for method, path, body in CALLS]  # fmt: skip


def send(github: GitHub, method: str, path: str, body: Any) -> requests.Response:
    url = github.url + path.replace("{owner}/{repo}", REPOSITORY)
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            url,
            json=body,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
            allow_redirects=False,
        )


def test_every_answer_is_one_that_github_describes(
    answers: list[tuple[str, dict[str, Any], requests.Response, Any]],
) -> None:
    for name, described, answer, _ in answers:
        status = str(answer.status_code)
        assert status in described["responses"], (name, status)
        schema = schema_of(described["responses"][status])
        if schema is None:
            assert status in ("204", "302"), name
            continue
        problems = [
            f"{error.message} at {list(error.instance_path)}"
            for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(answer.json())
        ]
        assert problems == [], name


def test_every_request_is_one_that_github_describes(
    answers: list[tuple[str, dict[str, Any], requests.Response, Any]],
) -> None:
    for name, described, _, body in answers:
        if body is None:
            continue
        schema = schema_of(described["requestBody"])
        assert schema is not None, name
        jsonschema_rs.Draft202012Validator(schema).validate(body)


def test_the_check_itself_finds_a_missing_field(
    answers: list[tuple[str, dict[str, Any], requests.Response, Any]],
) -> None:
    _, described, answer, _ = answers[1]
    schema = schema_of(described["responses"]["200"])
    assert schema is not None
    broken = {key: value for key, value in answer.json().items() if key != "node_id"}
    assert not jsonschema_rs.Draft202012Validator(schema).is_valid(broken)


def test_every_answer_tells_the_rate_limit_and_lists_come_in_pages(github: GitHub) -> None:
    for number in range(5):
        github.say("ana", f"talk {number}")
    first = send(github, "get", "/repos/{owner}/{repo}/issues/7/comments?per_page=2", None)
    assert (len(first.json()), first.headers["X-RateLimit-Remaining"]) == (2, "4999")
    pages = [len(first.json())]
    while "next" in first.links:
        following = first.links["next"]["url"].removeprefix(github.url).replace(REPOSITORY, "{owner}/{repo}")
        first = send(github, "get", following, None)
        pages.append(len(first.json()))
    assert pages == [2, 2, 1]
