"""``midas-devops init``: a midas.toml that fits the repository."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from midas_devops.errors import StorageError, UsageError
from midas_devops.interfaces.cli.output import print_json, write
from midas_devops.interfaces.cli.session import Session, examples, shared

_FILE = "midas.toml"


@shared
def init(
    session: Session,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a midas.toml that is there already.")
    ] = False,
) -> None:
    """Write a midas.toml fitted to this repository.

    Reads the files that are there; runs nothing and sends nothing.
    """
    from midas_devops.interfaces.cli.detect import detect
    from midas_devops.interfaces.cli.init_file import render

    file = session.root / _FILE
    if file.exists() and not force:
        raise UsageError(
            f"wanted to write {_FILE}: {session.shown(file)} is there already",
            hint="edit it, check it with 'midas-devops doctor', or replace it with --force",
            location=str(file),
        )
    found = detect(session.root)
    _write_checked(file, render(found))
    steps = _next_steps(session, has_gates=bool(found.tests))
    if session.json:
        service = found.service
        print_json(
            {
                "path": str(file),
                "service": {"language": service.language, "start": list(service.start)} if service else None,
                "infrastructure": found.infrastructure,
                "tests": found.tests,
                "next": steps,
            }
        )
        return
    write(sys.stdout, f"wrote {session.shown(file)}\n")
    if session.quiet:
        return
    if found.service:
        write(sys.stdout, f"  service         {found.service.language}, from {found.service.found}\n")
    for name, folder in found.infrastructure.items():
        write(sys.stdout, f"  infrastructure  {folder} → {name}\n")
    if found.tests:
        write(sys.stdout, f"  tests           {found.tests} → gate 'tests'\n")
    write(sys.stdout, "next\n" + "".join(f"  {step}\n" for step in steps))


def _write_checked(file: Path, text: str) -> None:
    """Load it before it takes its place, so that what init writes is never wrong."""
    from midas_devops.config import load_settings

    draft = file.with_name(f".{_FILE}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        load_settings(draft, {})
        draft.replace(file)
    except OSError as error:
        raise StorageError(
            f"tried to write {file}: {error.strerror}",
            hint="make the folder writable, or free some space",
            location=str(file),
        ) from error
    finally:
        # What hindered writing may hinder this too, and has been told.
        with contextlib.suppress(OSError):
            draft.unlink()


def _next_steps(session: Session, *, has_gates: bool) -> list[str]:
    steps = ["read midas.toml and correct what does not fit", session.suggest("doctor")]
    if not any((folder / ".git").exists() for folder in (session.root, *session.root.parents)):
        steps.insert(0, "git init && git add -A && git commit -m 'first commit'   (a release is a commit)")
    if not session.project and Path.cwd() != session.root:
        steps.append("midas-devops init --project .   where this folder is a project of its own")
    if has_gates:
        steps.append("write the test report that the gate 'tests' reads (see its comment)")
    return steps


def register(app: typer.Typer) -> None:
    app.command("init", epilog=examples("midas-devops init --project ~/code/orders"))(init)
