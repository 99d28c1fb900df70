"""Tables of ``[environments.X.deploy]``: how a version is brought to its place, and when it is healthy."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from midas_devops.config.durations import Duration
from midas_devops.config.table import Argv, Table


def _rooted(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError("must begin with '/'")
    return value


class Health(Table):
    """When a deployed version counts as healthy. ``url`` wins over ``path``."""

    path: Annotated[str, AfterValidator(_rooted)] = ""
    url: str = ""
    status: int = Field(default=200, ge=100, le=599)
    within: Duration = timedelta(seconds=20)
    successes: int = Field(default=2, ge=1, le=100)
    """Good answers in a row that make it healthy: one alone may be a service that flaps."""


class LocalDeploy(Table):
    """A process on this machine. Every argv may hold {port}, {version}, {commit} and {environment}."""

    using: Literal["local"]
    build: Argv = ()
    build_within: Duration = timedelta(minutes=15)
    start: Argv = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    health: Health = Field(default_factory=lambda: Health(path="/"))
    keep_releases: int = Field(default=3, ge=1)
    rollback_on_failure: bool = True
    stop_within: Duration = timedelta(seconds=10)
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


class CanaryStep(Table):
    """One share of the traffic for a new version, in percent, and how long it has to prove itself there."""

    weight: int = Field(ge=1, le=100)
    pause: Duration = timedelta(0)


def _rising(steps: tuple[CanaryStep, ...]) -> tuple[CanaryStep, ...]:
    weights = [step.weight for step in steps]
    if weights != sorted(set(weights)):
        raise ValueError("must be a list of steps whose weights rise")
    return steps


Canary = Annotated[tuple[CanaryStep, ...], AfterValidator(_rising)]
"""Steps before everything goes to the new version. A last one with weight 100 is understood."""


class CommandDeploy(Table):
    """Any deployer that can be called. ``status`` prints the commit that runs, and nothing else."""

    using: Literal["command"]
    deploy: Argv = Field(min_length=1)
    status: Argv = Field(min_length=1)
    rollback: Argv = ()
    url: Argv = ()
    """Prints the environment's address, and nothing else."""
    switch: Argv = ()
    """Gives {weight} percent of the traffic to {commit}; ``deploy`` then only puts it beside what serves."""
    canary: Canary = ()
    analysis: Argv = ()
    """Judges {commit} at {weight}: status 0 is good. The health check is asked as well."""
    health: Health = Field(default_factory=Health)
    within: Duration = timedelta(minutes=15)
    rollback_on_failure: bool = True
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


class KubernetesDeploy(Table):
    """A Deployment in a cluster, by kubectl. Context and namespace are always named: no current one counts.

    With ``manifests`` their objects are applied (server-side); without, the container's image is set.
    """

    using: Literal["kubernetes"]
    context: str = Field(min_length=1)
    namespace: str = Field(min_length=1)
    deployment: str = Field(min_length=1)
    """Name of the Deployment."""
    container: str = ""
    """Whose image is the release; empty: the Deployment's only container."""
    image: str = Field(min_length=1)
    """{commit}, {version} and {environment} are filled in."""
    manifests: tuple[str, ...] = ()
    """Globs of YAML files, read at the commit that is deployed; {image} and the above are filled in."""
    service: str = ""
    """The Service in front of it, for ``blue_green``."""
    blue_green: bool = False
    """Two Deployments side by side, ``NAME-blue`` and ``NAME-green``; the Service's selector switches."""
    canary: Canary = ()
    analysis: Argv = ()
    """Judges {commit} at {weight}: status 0 is good. The pods' readiness counts as well."""
    health: Health = Field(default_factory=Health)
    """Without an address, the readiness of the pods is the health."""
    within: Duration = timedelta(minutes=10)
    """How long a rollout may take."""
    rollback_on_failure: bool = True
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


def _with_marker(inputs: dict[str, str]) -> dict[str, str]:
    if not any("{marker}" in value for value in inputs.values()):
        raise ValueError("must hand {marker} to the workflow, or its run cannot be found again")
    if len(inputs) > _MOST_INPUTS:
        raise ValueError(f"must be at most {_MOST_INPUTS}: GitHub takes no more")
    return inputs


_MOST_INPUTS = 25
_INPUTS = {"marker": "{marker}", "commit": "{commit}", "environment": "{environment}"}


class GitHubActionsDeploy(Table):
    """A workflow of ``project.repository`` that deploys, started by workflow_dispatch.

    Its ``run-name`` has to show the marker input: that is how a run is found again.
    """

    using: Literal["github_actions"]
    workflow: str = Field(min_length=1)
    """File name, such as ``deploy.yml``, or number."""
    ref: str = Field(default="main", min_length=1)
    """Branch or tag whose workflow file is run; what is deployed is the commit in the inputs."""
    inputs: Annotated[dict[str, str], AfterValidator(_with_marker)] = _INPUTS
    """{marker}, {commit}, {version}, {environment} and {url} are filled in."""
    health: Health = Field(default_factory=Health)
    within: Duration = timedelta(minutes=30)
    """How long a run may take, the wait for a runner included; then it is cancelled."""
    rollback_on_failure: bool = True
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()
    """For commands that verify it: the workflow runs elsewhere."""


Deploy = Annotated[
    LocalDeploy | CommandDeploy | KubernetesDeploy | GitHubActionsDeploy, Field(discriminator="using")
]
