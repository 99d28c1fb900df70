"""``midas-devops report``: a deployment that somebody else carried out, put on record."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from midas_devops.interfaces.cli.deploy import IssueNumber, RequestedBy
from midas_devops.interfaces.cli.output import note, print_json, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain


@shared
def report(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Environment of midas.toml.")],
    status: Annotated[
        str, typer.Argument(metavar="STATUS", help="How it ended, such as succeeded or failed.")
    ],
    details: Annotated[str, typer.Argument(metavar="DETAILS", help="A sentence or two for people.")],
    *,
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> None:
    """Put the outcome of a deployment on record.

    For deployments that something else carried out. The issue that tracks it hears of it too.
    """
    with session.agent() as agent:
        result = agent.report_deployment_status(
            environment, status, details, requested_by=requested_by, issue_number=issue
        )
    if session.json:
        print_json(result)
    elif not session.quiet:
        write(sys.stdout, f"on record: {plain(environment)} {plain(status)}\n")
        if result["comment"]:
            write(sys.stdout, f"  {plain(result['comment'])}\n")
        elif result["tracking"] == "waiting":
            note(f"the issue is told later: {session.suggest('tracker', '--deliver')}")


def register(app: typer.Typer) -> None:
    app.command(
        "report",
        epilog=examples("midas-devops report staging succeeded 'v1.4.0 by the nightly job' --issue 42"),
    )(report)
