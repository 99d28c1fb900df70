"""All ports of one project, as the graph receives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from midas_devops.config import Gate
from midas_devops.domain.base import Value
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import Deployer
from midas_devops.ports.iac import IacEngine
from midas_devops.ports.knowledge import KnowledgeBase
from midas_devops.ports.ledger import Lease, Ledger
from midas_devops.ports.model import ChatModel
from midas_devops.ports.pipeline import PipelineHost
from midas_devops.ports.results import ScanResults, TestResults
from midas_devops.ports.source import Source
from midas_devops.ports.tracker import IssueTracker


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
    pipelines: PipelineHost | None = None
    knowledge: OpenKnowledge = no_knowledge
    tracker: IssueTracker | None = None
    model: ChatModel | None = None
    clock: Callable[[], datetime] = _utc_now
    listen: Callable[[RunEvent], None] = silent
