"""What every command shares: the project, its settings, how to talk, and the options for all that."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from midas_devops.errors import ConfigError, UsageError
from midas_devops.interfaces.cli.failures import StoppedError
from midas_devops.interfaces.wording import command as command_line

if TYPE_CHECKING:
    from midas_devops.agent import DevOpsAgent
    from midas_devops.config import Settings
    from midas_devops.ports.bundle import RunEvent
    from midas_devops.safety.redaction import Redactor

P = ParamSpec("P")

ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The project's folder. Default: the nearest one above with midas.toml or .git.",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON document on stdout; progress and notes on stderr; never asks.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress, and one line as the result."),
]
NoInputOption = Annotated[
    bool,
    typer.Option(
        "--no-input",
        help="Never ask, even on a terminal: store the run and exit 3.",
    ),
]


@dataclass(frozen=True)
class Globals:
    """Options given before the command."""

    project: str | None = None
    json: bool = False
    quiet: bool = False
    no_input: bool = False


@dataclass
class Session:
    """One call of one command."""

    root: Path
    project: str
    """What was given with --project; empty when nothing was. For commands that we suggest."""
    json: bool
    quiet: bool
    no_input: bool
    run_ids: list[str] = field(default_factory=list)
    """Runs that this call has carried out so far, oldest first."""

    @property
    def interactive(self) -> bool:
        """Whether somebody is there who can be asked."""
        return not self.json and not self.no_input and sys.stdin.isatty() and sys.stderr.isatty()

    @cached_property
    def settings(self) -> Settings:
        """The project's settings. Raises ``ConfigError``, also when there are none."""
        from midas_devops.config import load_settings

        return load_settings(self.root / "midas.toml")

    @cached_property
    def settings_or_defaults(self) -> Settings:
        """The same, for commands that also work outside of a project."""
        from midas_devops.config import load_settings

        return load_settings(self.root / "midas.toml", missing_ok=True)

    def redact(self, text: str) -> str:
        """The text without the secrets that this environment knows (rule 8). Needs no midas.toml."""
        return self._redactor.text(text)

    @cached_property
    def _redactor(self) -> Redactor:
        from midas_devops.config import Settings
        from midas_devops.safety.redaction import Redactor

        try:
            settings = self.settings_or_defaults
        except ConfigError:
            # What only reads a log works beside a broken midas.toml: the environment is known all the same.
            settings = Settings()
        return Redactor.from_environment(os.environ, settings)

    def agent(self, on_event: Callable[[RunEvent], None] | None = None) -> DevOpsAgent:
        """The agent of this project, for use in a ``with`` block."""
        from midas_devops.agent import DevOpsAgent

        return DevOpsAgent.from_project(self.root, on_event=on_event)

    def suggest(self, *words: str) -> str:
        """A command of ours that works where the person stands."""
        return command_line(*words, project=self.project)

    def shown(self, path: Path) -> str:
        """A path as a person wants it: relative to where they stand, when it lies below."""
        here = Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def examples(*commands: str, note: str = "") -> str:
    """The end of a help page: command lines as they are typed."""
    word = "Example:" if len(commands) == 1 else "Examples:"
    # The mark \b keeps the parser from joining the lines.
    text = "\n".join(["\b", word, *(f"  {command}" for command in commands)])
    return f"{text}\n\n{note}" if note else text


def open_session(given: Globals) -> Session:
    """Find the project. Raises ``UsageError`` when the folder that was named is none."""
    from midas_devops.config.find import find_project

    start = Path(given.project) if given.project else Path.cwd()
    if not start.is_dir():
        raise UsageError(
            f"looked for the project in '{start}': there is no such folder",
            hint="name an existing folder with --project DIR",
            location="--project",
        )
    return Session(
        # A folder that was named is meant: below a repository, too, a project may have its own.
        root=start.resolve() if given.project else find_project(start),
        project=given.project or "",
        json=given.json,
        quiet=given.quiet,
        no_input=given.no_input,
    )


def shared(function: Callable[Concatenate[Session, P], int | None]) -> Callable[..., None]:
    """Give a command the options of every command, and the session that they open.

    The function gets the session first and returns its exit code (None is 0).
    """
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]
    common = [
        inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        _option("project", ProjectOption, None),
        _option("json", JsonOption, False),
        _option("quiet", QuietOption, False),
        _option("no_input", NoInputOption, False),
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + common

    def command(**arguments: Any) -> None:
        before: Globals = arguments.pop("ctx").obj or Globals()
        session = open_session(
            Globals(
                project=arguments.pop("project") or before.project,
                json=arguments.pop("json") or before.json,
                quiet=arguments.pop("quiet") or before.quiet,
                no_input=arguments.pop("no_input") or before.no_input,
            )
        )
        try:
            code = function(session, **arguments)  # type: ignore[call-arg]
        except KeyboardInterrupt as stopped:
            raise _interrupted(session, stopped) from stopped
        if code:
            raise typer.Exit(code)

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__module__ = function.__module__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = signature.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    return command


def _option(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _interrupted(session: Session, stopped: KeyboardInterrupt) -> StoppedError:
    if not session.run_ids:
        return StoppedError(f"stopped{_by(stopped)}; nothing was begun that needs to be continued")
    run_id = session.run_ids[-1]
    return StoppedError(
        f"stopped{_by(stopped)}; what run {run_id} has done so far is on record and stays as it is",
        hint=f"continue it with '{session.suggest('runs resume', run_id)}'",
        location=run_id,
    )


def _by(stopped: KeyboardInterrupt) -> str:
    return f" by {stopped}" if str(stopped) else ""
