"""One run, as its starter holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midas_devops.domain.approval import Review
from midas_devops.domain.runs import EXIT_CODES, RunStatus
from midas_devops.errors import UsageError
from midas_devops.ports.ledger import RunRow
from midas_devops.records import Json, run_json, status_now

if TYPE_CHECKING:
    from midas_devops.agent import DevOpsAgent


class Run:
    """One run, as the ledger has it now."""

    def __init__(self, agent: DevOpsAgent, run_id: str) -> None:
        self._agent = agent
        self.id = run_id

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status}>"

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        return status_now(self._agent.ports.ledger, self._row)

    @property
    def exit_code(self) -> int:
        """What a command that ends with this run exits with."""
        return EXIT_CODES[self.status]

    @property
    def pending(self) -> Json | None:
        """What a person is asked: ``kind``, ``digest``, ``question``…; None when nobody is."""
        return self._row.record.get("pending") or None

    @property
    def report(self) -> Json:
        """The run in full, as :meth:`to_json` gives it."""
        return self.to_json()

    def to_json(self) -> Json:
        """The run in the contract's shape."""
        return run_json(self._agent.ports.ledger, self._agent.ports.artifacts, self._row)

    def approve(self, digest: str, *, by: str, reason: str, confirm: str = "") -> Run:
        """Approve exactly this digest and carry the run on here. Raises ``ApprovalRefusedError``."""
        return self._agent.answer(
            self.id, Review(decision="approve", digest=digest, by=by, reason=reason, confirm=confirm)
        )

    def reject(self, *, by: str, reason: str) -> Run:
        """Say no. Raises ``ApprovalRefusedError`` when nothing is asked."""
        return self._agent.answer(self.id, Review(decision="reject", by=by, reason=reason))

    def resume(self) -> Run:
        """Continue a run that was cut off; a finished or waiting run stays as it is."""
        return self._agent.resume(self.id)

    def events(self) -> list[Json]:
        """The run's audit trail, oldest first."""
        trail = self._agent.ports.ledger.audit_trail(self.id)
        return [entry.model_dump(mode="json") for entry in trail]

    def _repr_html_(self) -> str:
        from midas_devops.interfaces.html import render_fragment

        return render_fragment(self.to_json())

    @property
    def _row(self) -> RunRow:
        row = self._agent.ports.ledger.run(self.id)
        if row is None:
            raise UsageError(f"there is no run '{self.id}'")
        return row
