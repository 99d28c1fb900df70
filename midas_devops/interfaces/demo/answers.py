"""Who answers when a run waits: the person at the terminal, or a demo operator that says it is one."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Literal, Protocol

from midas_devops.interfaces.demo.screen import Screen

OPERATOR = "demo operator (no terminal)"


@dataclass(frozen=True)
class Answer:
    """A decision with a name and a reason."""

    decision: Literal["approve", "reject"]
    by: str
    reason: str


class Answers(Protocol):
    """Whoever answers for the demo."""

    def answer(self, suggested: Literal["approve", "reject"], reason: str) -> Answer: ...


class Operator:
    """Nobody is there: what the demo suggests is what is done, under a name that says so."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def answer(self, suggested: Literal["approve", "reject"], reason: str) -> Answer:
        self._screen.says(f"  ▸ {OPERATOR} answers: {suggested}, because: {reason}", style="magenta")
        return Answer(suggested, OPERATOR, reason)


class Person:
    """Asks at the terminal; Enter takes what the demo suggests."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._name = ""

    def answer(self, suggested: Literal["approve", "reject"], reason: str) -> Answer:
        from rich.prompt import Prompt

        console = self._screen.console
        if not self._name:
            self._name = Prompt.ask("  ▸ Your name", default=_login(), console=console).strip() or _login()
        choice = Prompt.ask(
            f"  ▸ {self._name}, do you approve this digest?",
            choices=["approve", "reject"],
            default=suggested,
            console=console,
        )
        if choice == suggested:
            return Answer(suggested, self._name, reason)
        return Answer("approve" if choice == "approve" else "reject", self._name, "decided at the terminal")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "the person at the terminal"
