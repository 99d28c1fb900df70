"""What every node shares: a typed view of the state, redaction, the record, the audit and progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol, TypeVar, cast

from langgraph.config import get_stream_writer

from midas_devops.config import Environment, Settings
from midas_devops.domain.base import Value
from midas_devops.domain.changes import ChangePlan, Pending
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.gates import GateReport
from midas_devops.domain.outcome import Outcome, Recovery, RecoveryKind, Verification
from midas_devops.domain.runs import (
    InfrastructureRequest,
    PipelineRequest,
    ReleaseRequest,
    RunStatus,
    parse_request,
)
from midas_devops.errors import BlockedError, ToolError, UsageError
from midas_devops.outbox import deliver
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.ports.iac import IacEngine, PlanInputs
from midas_devops.state import DevOpsState, Json

AnyRequest = ReleaseRequest | InfrastructureRequest | PipelineRequest
V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class Step:
    """One execution of one node: the state it read, and the ports it may use."""

    node: str
    run_id: str
    state: DevOpsState
    ports: Ports
    policy: Settings

    @property
    def request(self) -> AnyRequest:
        return parse_request(self.state["request"])

    @property
    def release(self) -> ReleaseRequest:
        request = self.request
        if not isinstance(request, ReleaseRequest):
            raise UsageError(f"{self.node} serves releases, not {request.operation}")
        return request

    @property
    def infrastructure(self) -> InfrastructureRequest:
        request = self.request
        if not isinstance(request, InfrastructureRequest):
            raise UsageError(f"{self.node} serves infrastructure, not {request.operation}")
        return request

    @property
    def engine(self) -> IacEngine:
        """The engine of this request's configuration, with what the request gives it.

        A revert returns to all of an earlier configuration, not to the part that was asked for.
        """
        request, recovery = self.infrastructure, self.recovery
        reverting = recovery is not None and recovery.kind is RecoveryKind.REVERT
        engine = self.ports.engine(request.environment, request.config)
        inputs = PlanInputs(
            variables=request.variables,
            var_files=request.var_files,
            targets=() if reverting else request.targets,
        )
        return engine if inputs == PlanInputs() else engine.given(inputs)

    @property
    def environment(self) -> Environment:
        return self.policy.environment(self.request.environment)

    @property
    def plan(self) -> ChangePlan:
        return ChangePlan.model_validate(self.state["change_plan"])

    @property
    def gates(self) -> GateReport:
        return GateReport.model_validate(self.state.get("gates") or {})

    @property
    def pending(self) -> Pending | None:
        return self._optional("pending", Pending)

    @property
    def outcome(self) -> Outcome | None:
        return self._optional("outcome", Outcome)

    @property
    def verification(self) -> Verification | None:
        return self._optional("verification", Verification)

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self._optional("diagnosis", Diagnosis)

    @property
    def recovery(self) -> Recovery | None:
        return self._optional("recovery", Recovery)

    def attempts(self, of: str) -> int:
        """How often something bounded was done in this run so far."""
        return int((self.state.get("attempts") or {}).get(of, 0))

    def counted(self, of: str) -> Json:
        """The attempts with one more of ``of``."""
        return {**(self.state.get("attempts") or {}), of: self.attempts(of) + 1}

    def say(self, text: str, kind: Literal["started", "progress", "finished"] = "progress") -> None:
        """Report live progress: to the agent's listener and to the graph's custom stream."""
        event = RunEvent(
            at=self.ports.clock(),
            run_id=self.run_id,
            node=self.node,
            kind=kind,
            text=self.ports.redactor.text(text),
        )
        self.ports.listen(event)
        get_stream_writer()(event.model_dump(mode="json"))

    def audit(self, event: str, *, actor: str = "midas-devops", rule: str = "", **data: Any) -> None:
        """Append to the audit trail (rule 14)."""
        self.ports.ledger.audit(self.run_id, actor, event, rule=rule, data=self.ports.redactor.json(data))

    def hold_environment(self) -> None:
        """Take, or keep, the environment's lease (rule 13). Raises ``LeaseTakenError``."""
        name = self.request.environment
        self.ports.leases.hold(f"env:{name}", self.run_id, self.request.operation, self.environment.lock_wait)

    def result(self, what: str, **values: Any) -> Json:
        """An update of the state: domain values become plain JSON, ``what`` goes to the timeline."""
        update: Json = {key: _plain(value) for key, value in values.items()}
        at = self.ports.clock().isoformat(timespec="milliseconds")
        line = {"at": at, "node": self.node, "what": what}
        update["timeline"] = [*self.state.get("timeline", []), line]
        return update

    def _optional(self, key: str, kind: type[V]) -> V | None:
        data = self.state.get(key)
        return kind.model_validate(data) if data else None


Body = Callable[[Step], Json]


class Node(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: DevOpsState) -> Json: ...


def as_step(name: str, body: Body, ports: Ports, policy: Settings, *, writes: bool) -> Node:
    """Wrap a node's body: lease on the run, redaction, record, audit.

    A rule that blocks becomes the run's status; storage errors leave the graph, because a run that cannot
    be recorded must stop where it is and be resumed.
    """

    def node(state: DevOpsState) -> Json:
        run_id = state["run_id"]
        step = Step(name, run_id, state, ports, policy)
        ports.leases.hold(f"run:{run_id}", run_id, name)
        step.say(name.replace("_", " "), "started")
        try:
            update = body(step)
        except BlockedError as refused:
            update = step.result(
                f"blocked: {refused.message}",
                status=RunStatus.BLOCKED,
                reason=_sentence(refused.message, refused.hint),
                pending={},
            )
        except (UsageError, ToolError) as wrong:
            if isinstance(wrong, ToolError) and writes:
                raise  # how far the effect got is not known: resuming looks at the world
            update = step.result(
                f"cannot go on: {wrong.message}",
                status=RunStatus.FAILED,
                reason=_sentence(wrong.message, wrong.hint),
            )
        update = cast(Json, ports.redactor.json({"run_id": run_id, **update}))
        _record(step, update)
        step.say(update["timeline"][-1]["what"], "finished")
        return update

    return node


def _record(step: Step, update: Json) -> None:
    from midas_devops.nodes import telling  # which is written for steps

    record = {**step.state, **update}
    ended = step.node == "report"
    if ended:
        status = update["status"]
    else:
        status = RunStatus.AWAITING_APPROVAL if record.get("pending") else RunStatus.RUNNING
    step.ports.ledger.audit(
        step.run_id, "midas-devops", step.node, data={"what": update["timeline"][-1]["what"]}
    )
    waits = status is RunStatus.AWAITING_APPROVAL and step.node in _BEFORE_A_PERSON
    if waits:
        telling.tell_waiting(step, update)
    step.ports.ledger.save_run(step.run_id, status, record, ended)
    if ended or waits:
        step.ports.leases.release_all(step.run_id)
        deliver(step.ports)


_BEFORE_A_PERSON = frozenset({"gate_check", "record_review", "diagnose"})


def _plain(value: Any) -> Any:
    if isinstance(value, Value):
        return value.model_dump(mode="json")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _sentence(message: str, hint: str) -> str:
    return f"{message}. {hint}" if hint else message
