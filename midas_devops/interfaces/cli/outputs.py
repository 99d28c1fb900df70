"""``midas-devops infra outputs`` and ``infra workspace``: what the state says, and where it lies."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from midas_devops.interfaces.cli.deploy import RequestedBy
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.progress import live_progress
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

OUTPUTS_EPILOG = examples(
    "midas-devops infra outputs infra/staging",
    "midas-devops infra outputs infra/production --json | jq -r .outputs.url",
)
WORKSPACE_EPILOG = examples("midas-devops infra workspace infra/app --env staging")
Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="Folder of the configuration, or a file in it.")
]
Environment = Annotated[
    str,
    typer.Option(
        "--env",
        metavar="ENV",
        help="Its environment. Default: the one whose infrastructure.config it is, else production.",
    ),
]


@shared
def outputs(session: Session, config: Config, env: Environment = "") -> int:
    """Show the outputs of the current state.

    Names sensitive ones, and never shows their values.
    """
    with session.agent() as agent:
        report = agent.infrastructure_outputs(config, environment=env)
    if session.json:
        print_json(report)
        return 0
    if session.quiet:
        write(sys.stdout, "".join(f"{name}={plain(text)}\n" for name, text in report["outputs"].items()))
        return 0
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in sorted(report["outputs"].items()):
        table.add_row(f"  {plain(name)}", Text(plain(text), style="bold", overflow="fold"))
    for name in sorted(report["sensitive"]):
        table.add_row(f"  {plain(name)}", Text("[redacted:sensitive]", style="dim"))
    show(f"outputs of {plain(report['config'])} on {plain(report['environment'])}", table)
    return 0


@shared
def workspace(session: Session, config: Config, env: Environment = "", requested_by: RequestedBy = "") -> int:
    """Make the state's workspace that midas.toml names.

    Does nothing where it is there. No other command makes one.
    """
    with live_progress(session) as listen, session.agent(listen) as agent:
        report = agent.create_workspace(config, environment=env, requested_by=requested_by)
    if session.json:
        print_json(report)
    else:
        what = "created" if report["created"] else "there already"
        write(sys.stdout, f"workspace {report['workspace']} of {report['config']}: {what}\n")
    return 0
