"""Run the demo from its first to its last step, and leave nothing running behind."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn

from midas_devops.domain.counting import number
from midas_devops.errors import MidasError
from midas_devops.interfaces.demo.answers import Answers, Operator, Person
from midas_devops.interfaces.demo.project import DemoProject, create_project
from midas_devops.interfaces.demo.screen import Screen
from midas_devops.interfaces.demo.services import stop_services
from midas_devops.interfaces.demo.shell import Shell
from midas_devops.interfaces.demo.story import DeclinedError, Story
from midas_devops.interfaces.demo.summary import show_summary

DEFAULT_FOLDER = "midas-demo"


def run_demo(
    folder: Path | None = None,
    *,
    interactive: bool | None = None,
    keep: bool = True,
    keep_services: bool = False,
) -> int:
    """The whole job in ``folder`` (``./midas-demo``), as a person would do it at the command line.

    ``interactive``: ask at the terminal; None: when there is one. ``keep``: leave the folder, so that its
    reports can be read. Services are stopped at the end, also on Ctrl-C, unless ``keep_services``. Returns 0
    when every step went as it has to, 1 when one did not. Raises ``MidasError`` when it cannot begin.
    """
    where = (folder or Path.cwd() / DEFAULT_FOLDER).resolve()
    ask = sys.stdin.isatty() and sys.stdout.isatty() if interactive is None else interactive
    screen = Screen()
    began = monotonic()
    with _terminated_as_interrupted():
        screen.says("midas-devops demo: a small web service, released for real on this machine", style="bold")
        project = create_project(where)
        screen.says(f"The project is a git repository with the tags {', '.join(project.commits)}: {where}")
        try:
            code = _play(Story(project, Shell(project, screen), screen, _answers(screen, ask=ask)), began)
        finally:
            if not keep_services:
                stopped = stop_services(where)
                told = f"stopped {number(stopped, 'service')} of the demo; the files stay in {where}"
                screen.says(f"\n{told}", style="dim")
    if not keep:
        shutil.rmtree(where)
    elif code == 0:
        _what_next(screen, project)
    return code


def _play(story: Story, began: float) -> int:
    try:
        story.staging_infrastructure()
        story.first_release()
        story.promotion()
        failed_run = story.bad_release()
        story.dangerous_change()
        show_summary(story.shell, story.screen, failed_run)
    except DeclinedError as declined:
        story.screen.says(f"\n{declined.message}", style="yellow")
        return 1
    except MidasError as error:
        story.screen.bad(f"the demo did not go as it has to: {error.message}")
        if error.hint:
            story.screen.says(f"    {error.hint}")
        return 1
    story.screen.good(f"everything went as it has to, in {monotonic() - began:.0f} s")
    return 0


def _answers(screen: Screen, *, ask: bool) -> Answers:
    return Person(screen) if ask else Operator(screen)


def _what_next(screen: Screen, project: DemoProject) -> None:
    program = f"midas-devops --project {project}"
    screen.says("\nWhat to try next", style="bold")
    screen.facts(
        [
            ("look", f"{program} runs list"),
            ("learn", f"{program} knowledge add docs infra, then knowledge search 'no such column' -k 3"),
            ("release", f"{program} deploy staging v1.0.0"),
            ("change", f"edit {project}/infra/staging/main.tf, then {program} infra plan infra/staging"),
            ("your own", "midas-devops init, in your repository"),
        ]
    )


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does, with everything cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
