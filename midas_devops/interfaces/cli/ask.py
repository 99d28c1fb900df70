"""Ask the person at the terminal what a run waits for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from midas_devops.errors import ApprovalRefusedError
from midas_devops.interfaces.cli.output import console, note
from midas_devops.interfaces.cli.show import summary

if TYPE_CHECKING:
    from midas_devops.run import Run


@dataclass(frozen=True)
class Answer:
    """What a person said, to be given to the run that asked."""

    approved: bool
    digest: str
    by: str
    reason: str
    confirm: str = ""

    def give(self, run: Run) -> Run:
        """Continue the run with this answer. A refused approval leaves it waiting, and says why."""
        if not self.approved:
            return run.reject(by=self.by, reason=self.reason)
        try:
            return run.approve(self.digest, by=self.by, reason=self.reason, confirm=self.confirm)
        except ApprovalRefusedError as refused:
            note(f"not accepted: {refused.message}" + (f". {refused.hint}" if refused.hint else ""))
            return run


def ask(run: dict[str, Any]) -> Answer | None:
    """Show what waits and read an answer; None to leave it waiting."""
    summary(run, steps=False)
    try:
        return _answer(run["pending"])
    except EOFError:  # Ctrl-D: the person is gone, and the question stays
        note("")
        return None


def _answer(pending: dict[str, Any]) -> Answer | None:
    from rich.prompt import Prompt

    screen = console(sys.stderr)
    choice = Prompt.ask(
        "\nApprove this digest?",
        choices=["approve", "reject", "later"],
        default="later",
        console=screen,
    )
    if choice == "later":
        return None
    by = _needed(screen, "Your name")
    reason = _needed(screen, "Why")
    confirm = ""
    if choice == "approve" and pending.get("confirm_word"):
        confirm = _needed(
            screen, f"This destroys everything there. Type {pending['confirm_word']} to confirm"
        )
    return Answer(choice == "approve", str(pending["digest"]), by, reason, confirm)


def _needed(screen: Any, question: str) -> str:
    from rich.prompt import Prompt

    while not (answer := Prompt.ask(question, console=screen).strip()):
        note("this cannot be left empty")
    return answer
