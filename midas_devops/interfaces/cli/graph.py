"""``midas-devops graph``: the workflow as a picture."""

from __future__ import annotations

import sys

import typer

from midas_devops.interfaces.cli.output import print_json, write
from midas_devops.interfaces.cli.session import Session, examples, shared


@shared
def graph(session: Session) -> None:
    """Print the workflow as a Mermaid diagram."""
    from midas_devops.graph import mermaid

    picture = mermaid()
    if session.json:
        print_json({"mermaid": picture})
    else:
        write(sys.stdout, picture if picture.endswith("\n") else f"{picture}\n")


def register(app: typer.Typer) -> None:
    app.command("graph", epilog=examples("midas-devops graph > workflow.mmd"))(graph)
