"""``midas-devops demo``: the whole job on a sample project."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from midas_devops.interfaces.cli.output import print_json
from midas_devops.interfaces.cli.session import Session, examples, shared


@shared
def demo(
    session: Session,
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Where the sample project is made.")
    ] = "midas-demo",
    keep_services: Annotated[
        bool, typer.Option("--keep-services", help="Leave the deployed services running at the end.")
    ] = False,
) -> int:
    """Run the whole job on a sample service.

    Infrastructure, gates, approval, deployment, a failing release, rollback and report: for real, on this
    machine, in about a minute.
    """
    from midas_devops.interfaces.demo import run_demo

    where = Path(folder).absolute()
    with redirect_stdout(sys.stderr) if session.json else nullcontext():
        code = run_demo(
            where, interactive=None if session.interactive else False, keep_services=keep_services
        )
    if session.json:
        print_json({"ok": code == 0, "folder": str(where)})
    return code


def register(app: typer.Typer) -> None:
    app.command("demo", epilog=examples("midas-devops demo"))(demo)
