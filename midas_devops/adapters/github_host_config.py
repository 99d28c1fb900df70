"""What GitHub itself has configured for a repository's pipelines: rules, permissions, names of secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from midas_devops.adapters.github_api import GitHubApi
from midas_devops.domain.pipeline_runs import Workflow
from midas_devops.errors import RemoteError
from midas_devops.ports.pipeline import BranchRules, HostConfig, HostEnvironment, HostPermissions

Read = TypeVar("Read")

_PROTECTED_ONLY = ("protected branches",)
_HIDDEN = frozenset({"forbidden", "not_found"})


def read_host_config(
    api: GitHubApi, branch: str, workflows: Callable[[], tuple[Workflow, ...]]
) -> HostConfig:
    """Everything that the token may read; the rest is named in ``unknown``. Raises ``RemoteError``."""
    reader = _Reader(api)
    environments = reader.ask("environments", "actions: read", lambda: _environments(reader))
    return HostConfig(
        host=f"{api.repository} on GitHub",
        default_branch=branch,
        workflows=workflows(),
        environments=environments or (),
        branch=_branch(reader, branch) if branch else None,
        secrets=reader.names("secrets"),
        variables=reader.names("variables"),
        permissions=_permissions(reader),
        unknown=tuple(reader.unknown),
    )


class _Reader:
    """Asks, and writes down what the token may not see instead of failing."""

    def __init__(self, api: GitHubApi) -> None:
        self.api = api
        self.unknown: list[str] = []

    def ask(self, what: str, needs: str, read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except RemoteError as refused:
            if refused.reason not in _HIDDEN:
                raise
            self.unknown.append(f"{what}: not readable with this token (needs {needs})")
            return None

    def get(self, path: str, what: str, needs: str) -> dict[str, Any] | None:
        found = self.ask(what, needs, lambda: self.api.get(path, f"read the {what}", needs=needs))
        return found if isinstance(found, dict) else None

    def list(self, path: str, key: str, what: str, needs: str) -> list[dict[str, Any]] | None:
        return self.ask(what, needs, lambda: [*self.api.pages(path, key, f"list the {what}", needs=needs)])

    def names(self, kind: Literal["secrets", "variables"]) -> tuple[str, ...] | None:
        """Of the repository, and those of its organisation that it may use."""
        own = self.list(f"/actions/{kind}", kind, kind, f"{kind}: read")
        if own is None:
            return None
        shared: list[dict[str, Any]] = []
        try:
            shared = [*self.api.pages(f"/actions/organization-{kind}", kind, f"list the {kind}")]
        except RemoteError as refused:
            if refused.reason not in _HIDDEN:
                raise
        return _names([*own, *shared])


def _names(items: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({str(item["name"]) for item in items if item.get("name")}))


def _environments(reader: _Reader) -> tuple[HostEnvironment, ...]:
    found = reader.api.pages("/environments", "environments", "list the environments", needs="actions: read")
    return tuple(_environment(reader, one) for one in found if one.get("name"))


def _environment(reader: _Reader, given: dict[str, Any]) -> HostEnvironment:
    name = str(given["name"])
    below = f"/environments/{quote(name, safe='')}"
    rules = [rule for rule in given.get("protection_rules") or () if isinstance(rule, dict)]
    review = next((rule for rule in rules if rule.get("type") == "required_reviewers"), {})
    timer = next((rule for rule in rules if rule.get("type") == "wait_timer"), {})
    secrets = reader.list(f"{below}/secrets", "secrets", f"secrets of {name}", "environments: read")
    variables = reader.list(f"{below}/variables", "variables", f"variables of {name}", "environments: read")
    return HostEnvironment(
        name=name,
        reviewers=tuple(_reviewers(review)),
        self_review=not review.get("prevent_self_review", False),
        wait_minutes=int(timer.get("wait_timer") or 0),
        branches=_branches(reader, name, below, given.get("deployment_branch_policy")),
        admins_bypass=bool(given.get("can_admins_bypass", True)),
        secrets=_names(secrets or []),
        variables=_names(variables or []),
    )


def _reviewers(rule: dict[str, Any]) -> Iterator[str]:
    for one in rule.get("reviewers") or ():
        who = one.get("reviewer") or {}
        name = who.get("login") or who.get("slug") or who.get("name")
        if name:
            yield f"team {name}" if one.get("type") == "Team" else str(name)


def _branches(reader: _Reader, name: str, below: str, policy: object) -> tuple[str, ...] | None:
    if not isinstance(policy, dict):
        return None
    if policy.get("protected_branches"):
        return _PROTECTED_ONLY
    custom = reader.list(
        f"{below}/deployment-branch-policies", "branch_policies", f"branches of {name}", "actions: read"
    )
    return _names(custom or [])


def _branch(reader: _Reader, branch: str) -> BranchRules:
    """Classic protection, readable in full by administrators alone, and rulesets, readable by all."""
    quoted = quote(branch, safe="")
    told = reader.get(f"/branches/{quoted}", f"branch {branch}", "contents: read") or {}
    summary = told.get("protection") if isinstance(told.get("protection"), dict) else {}
    full: dict[str, Any] = {}
    if told.get("protected"):
        full = _full_protection(reader, branch)
    rules = reader.list(f"/rules/branches/{quoted}", "", f"rulesets of {branch}", "metadata: read") or []
    classic = (full or summary or {}).get("required_status_checks") or {}
    checks = set(classic.get("contexts") or ())
    checks |= {str(check.get("context")) for check in _parameters(rules, "required_status_checks")}
    types = {str(rule.get("type")) for rule in rules}
    return BranchRules(
        branch=branch,
        protected=bool(told.get("protected")) or bool(types),
        required_checks=tuple(sorted(checks)),
        approvals=_approvals(full, rules, known=bool(full) or not (summary or {}).get("enabled")),
        force_push=_force_push(full, types, protected=bool(told.get("protected"))),
        rulesets=tuple(
            sorted({str(rule.get("ruleset_source") or rule.get("ruleset_id") or "") for rule in rules} - {""})
        ),
    )


def _full_protection(reader: _Reader, branch: str) -> dict[str, Any]:
    try:
        found = reader.api.get(
            f"/branches/{quote(branch, safe='')}/protection",
            f"read the protection of {branch}",
            needs="administration: read",
        )
    except RemoteError as refused:
        if refused.reason == "forbidden":
            reader.unknown.append(
                f"protection of {branch}: approvals and force pushes are not readable with this token"
                " (needs administration: read)"
            )
        elif refused.reason != "not_found":  # a branch that rulesets alone protect
            raise
        return {}
    return found if isinstance(found, dict) else {}


def _parameters(rules: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    for rule in rules:
        if rule.get("type") == kind:
            yield from (
                one for one in (rule.get("parameters") or {}).get(kind) or () if isinstance(one, dict)
            )


def _approvals(full: dict[str, Any], rules: list[dict[str, Any]], *, known: bool) -> int | None:
    classic = (full.get("required_pull_request_reviews") or {}).get("required_approving_review_count") or 0
    asked = [
        int((rule.get("parameters") or {}).get("required_approving_review_count") or 0)
        for rule in rules
        if rule.get("type") == "pull_request"
    ]
    most = max([int(classic), *asked])
    return most if known or most else None


def _force_push(full: dict[str, Any], types: set[str], *, protected: bool) -> bool | None:
    if "non_fast_forward" in types:
        return False
    if full:
        return bool((full.get("allow_force_pushes") or {}).get("enabled"))
    return None if protected else True


def _permissions(reader: _Reader) -> HostPermissions:
    needs = "administration: read"
    actions = reader.get("/actions/permissions", "permissions of Actions", needs) or {}
    token = reader.get("/actions/permissions/workflow", "default permissions of the token", needs) or {}
    given = token.get("default_workflow_permissions")
    return HostPermissions(
        enabled=actions.get("enabled"),
        actions_allowed=str(actions.get("allowed_actions") or ""),
        pins_required=actions.get("sha_pinning_required"),
        default_access=given if given in ("read", "write") else "",
        approves_pull_requests=token.get("can_approve_pull_request_reviews"),
    )
