"""What a host's settings lack against our own checks, beside what the pipeline files say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from midas_devops.pipelines.describe import WorkflowDescription
from midas_devops.ports.pipeline import BranchRules, HostConfig, HostEnvironment, HostPermissions

_GIVEN = frozenset({"GITHUB_TOKEN"})
"""Secrets that GitHub makes by itself."""
_SHOWN = 5


def host_missing(
    host: HostConfig, workflows: Sequence[WorkflowDescription], production: Iterable[str]
) -> Iterator[str]:
    """One sentence per lack. ``production`` names the environments of which much is at stake."""
    workflows = [workflow for workflow in workflows if workflow.platform == host.platform]
    guarded = frozenset(production)
    for environment in host.environments:
        if environment.name in guarded or environment.name.lower().startswith("prod"):
            yield from _environment(environment)
    if host.branch is not None:
        yield from _branch(host.branch)
    yield from _permissions(host.permissions)
    yield from _workflows(host, workflows)
    yield from _names(host, workflows)


def _environment(environment: HostEnvironment) -> Iterator[str]:
    where = f"environment {environment.name}"
    if not environment.reviewers:
        yield f"{where}: nobody has to approve a deployment (no required reviewers)"
    elif environment.self_review:
        yield f"{where}: who starts a run may approve it (self-review is not prevented)"
    if environment.branches is None:
        yield f"{where}: every branch may deploy (no deployment branch policy)"


def _branch(rules: BranchRules) -> Iterator[str]:
    if not rules.protected:
        yield f"branch {rules.branch}: not protected"
        return
    if rules.required_checks is not None and not rules.required_checks:
        yield f"branch {rules.branch}: no check is required before a merge"
    if rules.approvals == 0:
        yield f"branch {rules.branch}: no review is required before a merge"
    if rules.force_push:
        yield f"branch {rules.branch}: its history can be rewritten (force pushes are allowed)"


def _permissions(permissions: HostPermissions) -> Iterator[str]:
    if permissions.enabled is False:
        yield "pipelines are switched off for this repository"
    if permissions.default_access == "write":
        yield "the default token may write: a workflow without permissions gets that"
    if permissions.approves_pull_requests:
        yield "workflows may approve pull requests"
    if permissions.actions_allowed == "all" and permissions.pins_required is False:
        yield "every action may run, and pins to a commit are not required"


def _workflows(host: HostConfig, workflows: Sequence[WorkflowDescription]) -> Iterator[str]:
    known = {workflow.file: workflow for workflow in host.workflows}
    for described in workflows:
        there = known.get(described.file)
        if there is not None and there.state != "active":
            yield f"{described.file}: {there.state.replace('_', ' ')} on the host, so it does not run"
    environments = {environment.name for environment in host.environments}
    if host.platform != "github-actions" or any(line.startswith("environments:") for line in host.unknown):
        return
    for described in workflows:
        for job in described.jobs:
            if job.environment and "${{" not in job.environment and job.environment not in environments:
                yield (
                    f"{described.file}: {job.id}: the environment {job.environment} is not on the host;"
                    " GitHub makes it at the first run, without any protection"
                )


def _names(host: HostConfig, workflows: Sequence[WorkflowDescription]) -> Iterator[str]:
    on_github = host.platform == "github-actions"
    # GitHub makes no difference between upper and lower case in names; Jenkins does.
    fold = str.upper if on_github else str
    for kind, there, scoped, used in (
        (
            "secret",
            host.secrets,
            [one.secrets for one in host.environments],
            [(name, workflow.file) for workflow in workflows for name in workflow.secrets],
        ),
        (
            "variable",
            host.variables,
            [one.variables for one in host.environments],
            [(name, workflow.file) for workflow in workflows for name in workflow.variables],
        ),
    ):
        if there is None:
            continue
        present = {fold(name) for name in chain(there, *scoped)}
        by_name: dict[str, list[str]] = {}
        for name, file in used:
            by_name.setdefault(fold(name), []).append(file)
        for name, files in by_name.items():
            if name not in present and name not in _GIVEN:
                yield f"{_listed(files)}: the {kind} {name} is used, and the host has none of that name"
        unused = sorted(present - set(by_name))
        # What Jenkins keeps serves other jobs too.
        if unused and on_github:
            yield f"not used by any workflow here: {kind} {_listed(unused)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
