"""``midas-devops tracker``: what the tracker has still to be told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import print_json, show
from midas_devops.interfaces.cli.records import open_records
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.cli.table import show_list
from midas_devops.interfaces.wording import clock, plain, tracking_line


@shared
def tracker(
    session: Session,
    deliver: Annotated[bool, typer.Option("--deliver", help="Tell it now, without waiting longer.")] = False,
) -> int:
    """Show what waits to be told to the tracker, or tell it now.

    Comments, deployments and statuses that GitHub did not take wait in the ledger. Every run delivers those
    that are due; the exit code with --deliver is 0 when nothing waits any more.
    """
    delivered = 0
    if deliver:
        with session.agent() as agent:
            delivered = agent.deliver().delivered
    with open_records(session) as records:
        tracking = records.tracking()
    if session.json:
        print_json({"delivered": delivered, **tracking})
    else:
        _show(tracking, delivered)
    return 1 if deliver and tracking["waiting"] else 0


def _show(tracking: dict[str, Any], delivered: int) -> None:
    if delivered:
        show(f"{number(delivered, 'message')} delivered")
    if not tracking["messages"]:
        show("everything is told")
        return
    rows = [
        [
            clock(message["queued_at"]),
            message["kind"].replace("_", " "),
            plain(message["topic"]),
            message["state"].replace("_", " "),
            str(message["attempts"]),
        ]
        for message in tracking["messages"]
    ]
    show_list(("queued", "what", "about", "state", "tries"), rows, first=3)
    show(tracking_line(tracking))


def register(app: typer.Typer) -> None:
    app.command("tracker", epilog=examples("midas-devops tracker", "midas-devops tracker --deliver"))(tracker)
