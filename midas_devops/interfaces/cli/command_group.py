"""The commands of the program, each built when it is first looked at: a list needs no option of the demo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

HOME: Final = {
    "init": "init",
    "doctor": "doctor",
    "demo": "demo",
    "deploy": "deploy",
    "infra": "infra",
    "pipeline": "pipeline",
    "env": "env",
    "runs": "runs",
    "report": "report",
    "tracker": "tracker",
    "diagnose": "logs",
    "condense": "logs",
    "knowledge": "knowledge",
    "graph": "graph",
}
"""Command or group → the module beside this one whose ``register`` adds it, in the order of the help page."""


class Commands(Mapping[str, Any]):
    """Name → the parser's command. Names cost nothing, a command its module's import."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._build(HOME[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(HOME)

    def __len__(self) -> int:
        return len(HOME)

    def _build(self, module: str) -> None:
        part = typer.Typer(add_completion=False, rich_markup_mode=None)
        import_module(f"{__package__}.{module}").register(part)
        self._built |= typer.main.get_group(part).commands


class LazyGroup(TyperGroup):
    """The program itself: a group of ``Commands``."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]
