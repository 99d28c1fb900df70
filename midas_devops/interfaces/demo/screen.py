"""What the demo puts on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from midas_devops.interfaces.wording import counts, plain

if TYPE_CHECKING:
    from rich.console import Console

Json: TypeAlias = Mapping[str, object]
_WIDTH = 110


class Screen:
    """Headlines, command lines, live output and what it means."""

    def __init__(self) -> None:
        from rich.console import Console

        probe = Console()
        width = None if probe.is_terminal else _WIDTH
        self._console: Console = Console(width=width, markup=False, highlight=False, emoji=False)

    @property
    def console(self) -> Console:
        return self._console

    def headline(self, number: int, title: str, sentence: str) -> None:
        from rich.rule import Rule
        from rich.text import Text

        self._console.print()
        self._console.print(Rule(Text(f" {number}  {title} ", style="bold cyan"), align="left", style="cyan"))
        self._console.print(sentence)

    def command(self, line: str) -> None:
        self._console.print()
        self._console.print(f"$ {line}", style="bold", soft_wrap=True)

    def live(self, line: str) -> None:
        self._console.print(f"  │ {plain(line)}", style="dim", soft_wrap=True)

    def says(self, text: str, *, style: str = "") -> None:
        self._console.print(text, style=style, soft_wrap=True)

    def good(self, text: str) -> None:
        self.says(f"  ✔ {text}", style="green")

    def bad(self, text: str) -> None:
        self.says(f"  ✘ {text}", style="red")

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        for name, value in pairs:
            self.says(f"    {name:<11} {plain(value)}")

    def quote(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.says(f"    ┃ {plain(line)}", style="yellow")

    def waiting(self, run: Mapping[str, object]) -> None:
        """The interrupt: what is asked, for which digest, on which evidence."""
        pending, plan = member(run, "pending"), member(run, "plan")
        self.says(f"  ◐ waits for a person: {plain(pending.get('question', ''))}", style="bold yellow")
        facts = [("digest", str(pending.get("digest", "")))]
        if run.get("operation") == "manage_infrastructure":
            facts.append(("plan", counts(plan)))
        for address in strings(pending, "addresses"):
            facts.append(("lets go", address))
        for gate in members(run, "gates"):
            mark = "✔" if gate.get("verdict") == "passed" else "✘"
            facts.append(("gate", f"{mark} {gate.get('name')}: {gate.get('reason')}"))
            facts += [("evidence", path) for path in strings(gate, "evidence")]
        self.facts(facts)


def member(owner: Mapping[str, object], key: str) -> Json:
    """An object of a JSON document; empty when it is not there."""
    value = owner.get(key)
    return value if isinstance(value, dict) else {}


def members(owner: Mapping[str, object], key: str) -> list[Json]:
    """The objects of a list in a JSON document."""
    value = owner.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def strings(owner: Mapping[str, object], key: str) -> list[str]:
    """A list in a JSON document, as texts."""
    value = owner.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []
