"""``midas-devops diagnose`` and ``midas-devops condense``: what a log says, and the part worth reading."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import note, print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

LogFile = Annotated[str, typer.Argument(metavar="LOGFILE", help="A log of any size and encoding.")]


@shared
def diagnose(session: Session, logfile: LogFile) -> None:
    """Say what went wrong in a log, with the lines that say so."""
    from midas_devops.knowledge.diagnose import diagnose_file

    found = diagnose_file(Path(logfile), shown_as=logfile, redact=session.redact).model_dump(mode="json")
    if session.json:
        print_json(found)
    elif session.quiet:
        write(sys.stdout, f"{found['category']}\t{plain(found['summary'])}\n")
    else:
        _show_diagnosis(found)


def _show_diagnosis(found: dict[str, Any]) -> None:
    from rich.text import Text

    from midas_devops.interfaces.cli.show import quotes

    if found["verdict"] == "inconclusive":
        head = Text.assemble(("inconclusive", "bold yellow"), f": {plain(found['summary'])}")
    else:
        category = found["category"].replace("_", " ")
        sure = f" ({found['confidence']:.0%} sure)"
        head = Text.assemble((category, "bold red"), (sure, "dim"), f": {plain(found['summary'])}")
    show(head, *(Text(f"  {line}", style="cyan") for line in quotes(found["spans"])))
    for label, lines in (
        ("causes", found["causes"]),
        ("remedies", found["remedies"]),
        ("sources", found["sources"]),
    ):
        if lines:
            show(
                Text(f"  {label}", style="dim"),
                *(Text(f"    {at}. {plain(line)}") for at, line in enumerate(lines, 1)),
            )
    if found["retryable"]:
        show(Text("  trying again may help", style="dim"))


@shared
def condense(
    session: Session,
    logfile: LogFile,
    budget: Annotated[
        int, typer.Option("--budget", metavar="N", min=1, help="Most tokens that the text may have.")
    ] = 2000,
) -> None:
    """Print the part of a log that matters, within a token budget."""
    from midas_devops.context.condense import condense_file

    condensed = condense_file(Path(logfile), budget, redact=session.redact).model_dump(mode="json")
    if session.json:
        print_json(condensed)
        return
    write(sys.stdout, condensed["text"] if condensed["text"].endswith("\n") else condensed["text"] + "\n")
    if not session.quiet:
        kept, total = condensed["lines_kept"], number(condensed["lines_total"], "line")
        note(f"{condensed['tokens']} of {condensed['budget']} tokens; {kept} of {total} kept")


def register(app: typer.Typer) -> None:
    app.command("diagnose", epilog=examples("midas-devops diagnose build.log --json | jq .category"))(
        diagnose
    )
    app.command("condense", epilog=examples("midas-devops condense build.log --budget 1000"))(condense)
