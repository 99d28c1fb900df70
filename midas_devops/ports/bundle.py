"""All ports of one project, as the graph receives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from midas_devops.config import Gate, RegoGate
from midas_devops.domain.base import Value
from midas_devops.errors import ConfigError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import Deployer
from midas_devops.ports.iac import IacEngine
from midas_devops.ports.knowledge import KnowledgeBase
from midas_devops.ports.ledger import Lease, Ledger
from midas_devops.ports.model import ChatModel
from midas_devops.ports.pipeline import PipelineHost, PipelineJobs, PipelineRuns
from midas_devops.ports.policy import Policies
from midas_devops.ports.requirements import InfrastructureRequirements, RequiredResource
from midas_devops.ports.results import CheckResults, ScanResults, TestResults
from midas_devops.ports.source import Source
from midas_devops.ports.tracker import IssueTracker
from midas_devops.ports.verification import Verifier


class RunEvent(Value):
    """One line of live progress."""

    at: datetime
    run_id: str
    node: str
    kind: Literal["started", "progress", "finished"]
    text: str


class Redacts(Protocol):
    """The one redactor in front of every sink (rule 8)."""

    def text(self, text: str) -> str: ...
    def json(self, value: Any) -> Any: ...
    def learn(self, values: Iterable[str], kind: str = "value") -> None: ...


class Leases(Protocol):
    """Leases that this process holds and keeps alive."""

    def hold(self, resource: str, run_id: str, who: str, wait: timedelta = timedelta(0)) -> Lease: ...
    def check(self, resource: str) -> None:
        """Raises ``BlockedError`` when the lease was lost to somebody else."""
        ...

    def release_all(self, run_id: str) -> None: ...
    def close(self) -> None: ...


class OpenKnowledge(Protocol):
    """Opens the knowledge base at first use: a store may be slow to load."""

    def __call__(self, *, create: bool = False) -> KnowledgeBase | None:
        """None when there is none yet, unless it is to be created."""
        ...


def no_knowledge(*, create: bool = False) -> None:
    """There is no knowledge base, and none can be made."""


def no_checks(gate: Gate, environment: str) -> CheckResults:
    """Nobody reads checks here. Raises ``ConfigError``."""
    raise ConfigError(f"a gate of kind '{gate.kind}' for '{environment}' cannot be read: no reader was given")


def nothing_more(_: str) -> None:
    """A release is verified by what runs and by the deployer's health check alone."""


class _NothingAsked:
    def get_infrastructure_requirements(self, environment: str) -> tuple[RequiredResource, ...]:
        del environment
        return ()


def nothing_asked(environment: str, peers: Mapping[str, Any]) -> InfrastructureRequirements:
    """No architect asked for anything."""
    del environment, peers
    return _NothingAsked()


def silent(_: RunEvent) -> None:
    """Nobody listens."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Ports:
    """Handed to :func:`midas_devops.graph.build_graph`; nodes reach the outside only through it."""

    root: Path
    """The project's folder."""
    ledger: Ledger
    artifacts: Artifacts
    leases: Leases
    redactor: Redacts
    source: Source
    engine: Callable[[str, str], IacEngine]
    """(environment, configuration path) → engine. Raises ``ConfigError``."""
    deployer: Callable[[str], Deployer]
    """environment → deployer. Raises ``ConfigError``."""
    tests: Callable[[Gate, Mapping[str, Any]], TestResults]
    """(gate, the peers' results from state) → reader. Raises ``ConfigError``."""
    scans: Callable[[Gate, Mapping[str, Any]], ScanResults]
    checks: Callable[[Gate, str], CheckResults] = no_checks
    """(gate, environment) → reader. Raises ``ConfigError``."""
    verifier: Callable[[str], Verifier | None] = nothing_more
    """environment → what ``[environments.X.verify]`` asks for; None when it asks for nothing."""
    policies: Callable[[RegoGate], Policies] | None = None
    """gate → a team's policies about a plan. Raises ``ConfigError``."""
    requirements: Callable[[str, Mapping[str, Any]], InfrastructureRequirements] = nothing_asked
    """(environment, the peers' results from state) → what the architect asked for."""
    pipelines: PipelineHost | None = None
    pipeline_jobs: PipelineJobs | None = None
    """The server that keeps a project's job itself, where one is configured."""
    pipeline_runs: PipelineRuns | None = None
    """None: the host that midas.toml names is opened when it is asked."""
    knowledge: OpenKnowledge = no_knowledge
    tracker: IssueTracker | None = None
    model: ChatModel | None = None
    clock: Callable[[], datetime] = _utc_now
    listen: Callable[[RunEvent], None] = silent
