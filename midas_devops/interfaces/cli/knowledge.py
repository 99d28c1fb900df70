"""``midas-devops knowledge``: what retrieval can find."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from midas_devops.errors import UsageError
from midas_devops.interfaces.cli.output import note, print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

_SHOWN_LINES = 6


@shared
def add(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files and folders: Terraform, Markdown, runbooks, logs."),
    ],
) -> None:
    """Add files and folders. Only what changed is read again; what is gone is forgotten."""
    with session.agent() as agent:
        report = agent.knowledge.add(paths)
    if report.missing:
        raise UsageError(
            f"adding to the knowledge base: {', '.join(map(plain, report.missing))}"
            f" {'stands' if len(report.missing) == 1 else 'stand'} for no file",
            hint="name files, folders or globs of the project; whatever else was named has been added",
        )
    if session.json:
        print_json(report.model_dump(mode="json"))
        return
    counts = {"added": report.added, "updated": report.updated, "removed": report.removed}
    write(
        sys.stdout,
        ", ".join(f"{count} {word}" for word, count in counts.items()) + f", {report.unchanged} unchanged\n",
    )
    for skipped in report.skipped:
        note(f"skipped {plain(skipped)}")


@shared
def search(
    session: Session,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or words of an error message.")],
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=100, help="How many passages.")] = 5,
) -> None:
    """Find the passages that fit a question."""
    if not query.strip():
        raise UsageError("the query is blank", hint="ask a question, or give words of an error message")
    with session.agent() as agent:
        hits = agent.knowledge.search(query, k)
    if session.json:
        print_json({"results": [hit.model_dump(mode="json") for hit in hits]})
        return
    if not hits:
        show("nothing found; add sources with 'midas-devops knowledge add PATH'")
    for hit in hits:
        from rich.text import Text

        place = f"{hit.source}:{hit.first_line}-{hit.last_line}"
        show(Text.assemble((plain(place), "bold"), f"  {hit.kind}  ", (f"{hit.score:.3f}", "dim")))
        lines = plain(hit.text).split("\n")
        show(*(Text(f"    {line}", style="dim") for line in lines[:_SHOWN_LINES]))


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What retrieval can find.", no_args_is_help=True)
    group.command("add", epilog=examples("midas-devops knowledge add infra docs/runbooks"))(add)
    group.command("search", epilog=examples("midas-devops knowledge search 'database is locked' -k 3"))(
        search
    )
    app.add_typer(group, name="knowledge")
