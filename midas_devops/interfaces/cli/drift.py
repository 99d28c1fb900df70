"""``midas-devops infra drift``: what somebody changed outside."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.progress import live_progress
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

EPILOG = examples(
    "midas-devops infra drift infra/staging",
    "midas-devops infra drift infra/production --fail-on-drift",
    "midas-devops infra drift infra/production --json | jq -r '.changes[].address'",
    note="Exit codes: 0 looked, 1 the engine could not tell, or drifted with --fail-on-drift, 4 locked.",
)
_FATE = {"update": "changed", "delete": "gone"}
_MOST_CHANGES = 200


@shared
def drift(
    session: Session,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="Folder of the configuration, or a file in it.")
    ],
    env: Annotated[
        str,
        typer.Option(
            "--env",
            metavar="ENV",
            help="Its environment. Default: the one whose infrastructure.config it is, else production.",
        ),
    ] = "",
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit with 1 when anything has drifted.")
    ] = False,
) -> int:
    """Show what changed outside since the last apply.

    Compares the state with the world and changes neither. Names attributes, never their values.
    """
    with live_progress(session) as listen, session.agent(listen) as agent:
        report = agent.detect_drift(config, environment=env)
    if session.json:
        print_json(report)
    elif session.quiet:
        write(sys.stdout, "drifted\n" if report["drifted"] else "no drift\n")
    else:
        _show(report)
    return 1 if fail_on_drift and report["drifted"] else 0


def _show(report: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    changes = report["changes"]
    where = f"  {plain(report['config'])} on {plain(report['environment'])}"
    if not changes:
        show(Text.assemble(("✔ no drift", "bold green"), where))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for change in changes[:_MOST_CHANGES]:
        fate = "/".join(_FATE.get(action, action) for action in change["actions"])
        table.add_row(
            f"  {plain(fate)}",
            Text(plain(change["address"]), style="bold", overflow="fold"),
            Text(plain(", ".join(change["attributes"])), style="dim", overflow="fold"),
        )
    show(Text.assemble((f"◐ {number(len(changes), 'resource')} drifted", "bold yellow"), where), table)
    if len(changes) > _MOST_CHANGES:
        show(f"  … and {len(changes) - _MOST_CHANGES} more; --json lists them all")
