"""The JSON of GitHub's REST API, with every field that its published description requires."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

OWNER, NAME = "acme", "orders"
REPOSITORY = f"{OWNER}/{NAME}"
WEB = "https://github.example"

_REPOSITORY_LINKS = (
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare"),
    *("contents", "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs"),
    *("git_tags", "hooks", "issue_comment", "issue_events", "issues", "keys", "labels", "languages"),
    *("merges", "milestones", "notifications", "pulls", "releases", "stargazers", "statuses"),
    *("subscribers", "subscription", "tags", "teams", "trees"),
)
_USER_LINKS = (
    *("events", "followers", "following", "gists", "organizations", "received_events", "repos"),
    *("starred", "subscriptions"),
)


def user(api: str, login: str, kind: str = "User") -> Json:
    """A simple-user."""
    url = f"{api}/users/{login}"
    return {
        "login": login,
        "id": 1 + sum(login.encode()),
        "node_id": f"U_{login}",
        "avatar_url": f"{WEB}/avatars/{login}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{WEB}/{login}",
        **{f"{name}_url": f"{url}/{name}" for name in _USER_LINKS},
        "type": kind,
        "site_admin": False,
    }


def account(api: str, login: str, at: str) -> Json:
    """A public-user."""
    unknown = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
    counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    return {**user(api, login), **unknown, **counts, "created_at": at, "updated_at": at}


def repository(api: str) -> Json:
    """A minimal-repository."""
    url = f"{api}/repos/{REPOSITORY}"
    return {
        "id": 1,
        "node_id": "R_1",
        "name": NAME,
        "full_name": REPOSITORY,
        "owner": user(api, OWNER, "Organization"),
        "private": True,
        "html_url": f"{WEB}/{REPOSITORY}",
        "description": None,
        "fork": False,
        "url": url,
        "default_branch": "main",
        **{f"{name}_url": f"{url}/{name}" for name in _REPOSITORY_LINKS},
    }


def label(api: str, name: str) -> Json:
    url = f"{api}/repos/{REPOSITORY}/labels/{name}"
    return {
        "id": 1 + sum(name.encode()),
        "node_id": f"L_{name}",
        "url": url,
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }


def issue(api: str, number: int, author: str, at: str) -> Json:
    url = f"{api}/repos/{REPOSITORY}/issues/{number}"
    return {
        "id": 1000 + number,
        "node_id": f"I_{number}",
        "number": number,
        "title": "Deploy v1",
        "body": "please",
        "state": "open",
        "locked": False,
        "labels": [label(api, "deploy")],
        "user": user(api, author),
        "assignee": None,
        "milestone": None,
        "comments": 0,
        "closed_at": None,
        "created_at": at,
        "updated_at": at,
        "author_association": "MEMBER",
        "url": url,
        "repository_url": f"{api}/repos/{REPOSITORY}",
        "html_url": f"{WEB}/{REPOSITORY}/issues/{number}",
        **{f"{name}_url": f"{url}/{name}" for name in ("comments", "events", "labels")},
    }


def comment(api: str, number: int, on: int, author: Json, body: str, at: str) -> Json:
    return {
        "id": number,
        "node_id": f"IC_{number}",
        "url": f"{api}/repos/{REPOSITORY}/issues/comments/{number}",
        "html_url": f"{WEB}/{REPOSITORY}/issues/{on}#issuecomment-{number}",
        "issue_url": f"{api}/repos/{REPOSITORY}/issues/{on}",
        "user": author,
        "body": body,
        "created_at": at,
        "updated_at": at,
        "author_association": "MEMBER",
    }


PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")
_ROLES = ("read", "triage", "write", "maintain", "admin")


def permission(api: str, login: str, role: str) -> Json:
    """A repository-collaborator-permission. Maintain shows as write there, triage as read."""
    rank = _ROLES.index(role) if role in _ROLES else -1
    told = {"maintain": "write", "triage": "read"}.get(role, role)
    powers = {name: rank >= at for at, name in enumerate(PERMISSIONS)}
    return {
        "permission": told,
        "role_name": role,
        "user": {**user(api, login), "role_name": role, "permissions": powers},
    }


def deployment(api: str, number: int, asked: Json, sha: str, creator: str, at: str) -> Json:
    url = f"{api}/repos/{REPOSITORY}/deployments/{number}"
    return {
        "id": number,
        "node_id": f"DE_{number}",
        "sha": sha,
        "ref": asked["ref"],
        "task": asked.get("task", "deploy"),
        "payload": asked.get("payload", ""),
        "original_environment": asked.get("environment", "production"),
        "environment": asked.get("environment", "production"),
        "description": asked.get("description"),
        "creator": user(api, creator),
        "created_at": at,
        "updated_at": at,
        "transient_environment": asked.get("transient_environment", False),
        "production_environment": asked.get("production_environment", False),
        "statuses_url": f"{url}/statuses",
        "repository_url": f"{api}/repos/{REPOSITORY}",
        "url": url,
    }


def deployment_status(api: str, number: int, on: Json, asked: Json, creator: str, at: str) -> Json:
    return {
        "id": number,
        "node_id": f"DES_{number}",
        "url": f"{on['statuses_url']}/{number}",
        "state": asked["state"],
        "creator": user(api, creator),
        "description": asked.get("description", ""),
        "environment": on["environment"],
        "environment_url": asked.get("environment_url", ""),
        "target_url": asked.get("target_url", ""),
        "log_url": asked.get("log_url", ""),
        "deployment_url": on["url"],
        "repository_url": on["repository_url"],
        "created_at": at,
        "updated_at": at,
    }


def commit_status(api: str, number: int, sha: str, asked: Json, creator: str, at: str) -> Json:
    return {
        "id": number,
        "node_id": f"SC_{number}",
        "url": f"{api}/repos/{REPOSITORY}/statuses/{sha}",
        "avatar_url": f"{WEB}/avatars/{creator}",
        "state": asked["state"],
        "description": asked.get("description"),
        "target_url": asked.get("target_url"),
        "context": asked.get("context", "default"),
        "creator": user(api, creator),
        "created_at": at,
        "updated_at": at,
    }


def workflow(api: str, number: int, file: str, at: str) -> Json:
    return {
        "id": number,
        "node_id": f"W_{number}",
        "name": file.partition(".")[0].title(),
        "path": f".github/workflows/{file}",
        "state": "active",
        "created_at": at,
        "updated_at": at,
        "url": f"{api}/repos/{REPOSITORY}/actions/workflows/{number}",
        "html_url": f"{WEB}/{REPOSITORY}/blob/main/.github/workflows/{file}",
        "badge_url": f"{WEB}/{REPOSITORY}/workflows/{file}/badge.svg",
    }


def workflow_run(api: str, number: int, of: Json, title: str, branch: str, sha: str, at: str) -> Json:
    url = f"{api}/repos/{REPOSITORY}/actions/runs/{number}"
    person = {"name": "Ana", "email": "ana@acme.example"}
    return {
        "id": number,
        "node_id": f"WR_{number}",
        "name": of["name"],
        "path": of["path"],
        "display_title": title,
        "run_number": number,
        "run_attempt": 1,
        "event": "workflow_dispatch",
        "status": "queued",
        "conclusion": None,
        "workflow_id": of["id"],
        "workflow_url": of["url"],
        "head_branch": branch,
        "head_sha": sha,
        "head_commit": {
            "id": sha,
            "tree_id": "e" * 40,
            "message": "a commit",
            "timestamp": at,
            "author": person,
            "committer": person,
        },
        "repository": repository(api),
        "head_repository": repository(api),
        "pull_requests": [],
        "created_at": at,
        "updated_at": at,
        "run_started_at": at,
        "url": url,
        "html_url": f"{WEB}/{REPOSITORY}/actions/runs/{number}",
        "check_suite_url": f"{api}/repos/{REPOSITORY}/check-suites/{number}",
        **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "cancel", "rerun", "artifacts")},
    }


def job(api: str, of: Json) -> Json:
    """The only job of a run; it goes as the run does."""
    ended = of["updated_at"] if of["status"] == "completed" else None
    return {
        "id": of["id"] * 10,
        "node_id": f"J_{of['id']}",
        "run_id": of["id"],
        "run_url": of["url"],
        "run_attempt": 1,
        "workflow_name": of["name"],
        "head_branch": of["head_branch"],
        "head_sha": of["head_sha"],
        "name": "deploy",
        "status": of["status"],
        "conclusion": of["conclusion"],
        "created_at": of["created_at"],
        "started_at": of["created_at"],
        "completed_at": ended,
        "steps": [],
        "labels": ["ubuntu-24.04"],
        "runner_id": 1,
        "runner_name": "runner",
        "runner_group_id": 1,
        "runner_group_name": "default",
        "check_run_url": f"{api}/repos/{REPOSITORY}/check-runs/{of['id']}",
        "url": f"{api}/repos/{REPOSITORY}/actions/jobs/{of['id'] * 10}",
        "html_url": f"{of['html_url']}/job/{of['id'] * 10}",
    }
