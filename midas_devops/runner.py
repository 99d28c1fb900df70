"""The life of a run: begun, answered, carried on, in the graph with its checkpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.types import Command

from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.config import Settings
from midas_devops.domain.approval import Review
from midas_devops.domain.changes import Pending
from midas_devops.domain.runs import parse_request
from midas_devops.errors import ApprovalRefusedError, StorageError, UsageError
from midas_devops.graph import RECURSION_LIMIT, build_graph
from midas_devops.nodes.receive import new_run_id
from midas_devops.nodes.record_review import why_refused
from midas_devops.nodes.step import AnyRequest
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.ports.ledger import RunRow
from midas_devops.use_cases.comment_answers import next_answer

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

_PERSON = "human_review"


class Runner:
    """Runs of one project. What it opens is closed by ``resources``."""

    def __init__(self, root: Path, settings: Settings, ports: Ports, resources: ExitStack) -> None:
        self._root = root
        self._settings = settings
        self._ports = ports
        self._resources = resources

    def start(self, request: AnyRequest) -> str:
        """Begin a run and carry it as far as it goes; its id."""
        run_id = new_run_id(self._ports.clock())
        # The first checkpoint keeps what the graph is given, before any node could redact it.
        asked = self._ports.redactor.json(request.model_dump(mode="json"))
        self._carry_on(run_id, {"request": asked, "run_id": run_id})
        return run_id

    def answer(self, run_id: str, review: Review) -> None:
        """Take a person's answer to the open question, and carry on. Raises ``ApprovalRefusedError``."""
        row = self._row(run_id)
        self._refuse_early(row, review, Pending.model_validate(row.record["pending"]))
        answer: Command[Any] = Command(resume=self._ports.redactor.json(review.model_dump()))
        at_interrupt = _PERSON in self._graph.get_state(self._config(run_id)).next
        self._carry_on(run_id, answer if at_interrupt else None)

    def resume(self, run_id: str) -> None:
        """Carry on where it was cut off, or with what was answered on its issue. An ended run stays."""
        row = self._row(run_id)
        if row.ended_at is not None:
            return
        state = self._graph.get_state(self._config(run_id))
        if _PERSON in state.next and row.record.get("pending"):
            self._take_comments(run_id)
            return
        begun = bool(state.next)
        self._carry_on(run_id, None if begun else {"request": row.record["request"], "run_id": run_id})

    def _take_comments(self, run_id: str) -> None:
        def say(text: str) -> None:
            text = self._ports.redactor.text(text)
            at = self._ports.clock()
            self._ports.listen(RunEvent(at=at, run_id=run_id, node=_PERSON, kind="progress", text=text))

        while (row := self._row(run_id)).record.get("pending"):
            review = next_answer(self._ports, self._settings, row, say)
            if review is None:
                break
            self.answer(run_id, review)

    def _carry_on(self, run_id: str, payload: Any) -> None:
        with _stored(self._settings):
            try:
                self._graph.invoke(payload, self._config(run_id), durability="sync")
            finally:
                self._ports.leases.release_all(run_id)

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        saver = self._resources.enter_context(open_checkpointer(self._settings.storage.url, self._root))
        return build_graph(self._ports, self._settings).compile(checkpointer=saver, name="midas-devops")

    @staticmethod
    def _config(run_id: str) -> Any:
        return {"configurable": {"thread_id": run_id}, "recursion_limit": RECURSION_LIMIT}

    def _row(self, run_id: str) -> RunRow:
        row = self._ports.ledger.run(run_id)
        if row is None:
            raise UsageError(f"there is no run '{run_id}'")
        return row

    def _refuse_early(self, row: RunRow, review: Review, pending: Pending) -> None:
        """A mistyped answer must not end a run; an expired question must."""
        request = parse_request(row.record["request"])
        why_not = why_refused(self._ports, self._settings, request, row.run_id, review, pending)
        if why_not and "expired" not in why_not:
            self._ports.ledger.audit(row.run_id, review.by, "answer refused", rule="3", data={"why": why_not})
            raise ApprovalRefusedError(
                f"not taken: {why_not}",
                hint=f"Nothing was done; the run still waits. midas-devops runs show {row.run_id}",
                location=row.run_id,
            )


@contextmanager
def _stored(settings: Settings) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as broken:
        raise StorageError(
            f"the checkpoint of this run could not be written: {broken}",
            hint="Make room or mend the database, then `midas-devops runs resume`.",
            location=settings.storage.url,
        ) from broken
