"""What Jenkins itself says about a project's job: credentials' names, branches, whether it runs."""

from __future__ import annotations

from collections.abc import Callable

from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.adapters.jenkins_job import JobDefinition
from midas_devops.domain.pipeline_runs import Workflow
from midas_devops.errors import RemoteError
from midas_devops.ports.pipeline import HostConfig, HostPermissions

_UNTOLD = ("forbidden", "not_found")


def read_host_config(
    api: JenkinsApi, job: str, list_workflows: Callable[[], tuple[Workflow, ...]]
) -> HostConfig:
    """Names of credentials, never values. What this user may not read is named in ``unknown``."""
    unknown: list[str] = []
    workflows = list_workflows()
    secrets = _credentials(api, job, unknown)
    branch, lack = cloned_branch(api, job)
    unknown += [lack] if lack else []
    return HostConfig(
        host=f"{job} on Jenkins at {api.url}",
        platform="jenkins",
        default_branch=branch,
        workflows=workflows,
        secrets=secrets,
        permissions=HostPermissions(enabled=any(one.state == "active" for one in workflows)),
        unknown=tuple(unknown),
    )


def cloned_branch(api: JenkinsApi, job: str) -> tuple[str, str]:
    """The first branch that the job's definition names, empty for none; and why it could not be read."""
    attempted = f"read the definition of {job}"
    try:
        definition = JobDefinition.from_xml(api.text(f"{job_path(job)}config.xml", attempted))
    except RemoteError as refused:
        if refused.reason not in _UNTOLD:
            raise
        return "", f"the definition of {job}: this user may not read it ({refused.reason})"
    branches = definition.branches if definition else ()
    return (branches[0].removeprefix("*/") if branches else ""), ""


def _credentials(api: JenkinsApi, job: str, unknown: list[str]) -> tuple[str, ...] | None:
    """Of the job's folder and of Jenkins as a whole: a Jenkinsfile may name either."""
    folder = job.rpartition("/")[0]
    stores = [f"{job_path(folder)}credentials/store/folder/domain/_/"] if folder else []
    stores.append("credentials/store/system/domain/_/")
    names: set[str] = set()
    readable = False
    for store in stores:
        try:
            found = api.read(store, "list the names of credentials", tree="credentials[id]").get(
                "credentials"
            )
        except RemoteError as refused:
            if refused.reason not in _UNTOLD:
                raise
            unknown.append(f"credentials at {store}: this user may not list them ({refused.reason})")
            continue
        readable = True
        names |= (
            {str(one.get("id")) for one in found if isinstance(one, dict)}
            if isinstance(found, list)
            else set()
        )
    return tuple(sorted(names)) if readable else None
