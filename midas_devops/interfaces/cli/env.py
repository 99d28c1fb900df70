"""``midas-devops env``: what runs where."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from midas_devops.errors import UsageError
from midas_devops.interfaces.cli.output import note, print_json, show, write
from midas_devops.interfaces.cli.records import open_records
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.cli.table import NOTHING, Cell, show_list
from midas_devops.interfaces.wording import ago, plain


@shared
def list_environments(session: Session) -> None:
    """List the environments: what runs there, since when, verified or not."""
    with open_records(session) as records:
        environments = records.environments()
    if session.json:
        print_json({"environments": environments})
    elif session.quiet:
        write(sys.stdout, "".join(f"{environment['name']}\n" for environment in environments))
    elif not environments:
        show("midas.toml defines no environment yet")
    else:
        _show(environments)


def _show(environments: list[dict[str, Any]]) -> None:
    from rich.text import Text

    now = datetime.now(UTC)
    rows: list[list[Cell]] = []
    for environment in environments:
        verified = environment.get("verified")
        commit = environment.get("commit") or ""
        version = environment.get("version") or commit[:10]
        rows.append(
            [
                Text(plain(environment["name"]), style="bold"),
                plain(environment.get("kind", "")),
                plain(version) or NOTHING,
                Text(
                    {True: "✔ yes", False: "✘ no", None: NOTHING}[verified], style="green" if verified else ""
                ),
                ago(environment.get("since"), now) or NOTHING,
                plain(environment.get("url") or NOTHING),
            ]
        )
    show_list(("environment", "kind", "runs", "verified", "since", "url"), rows, first=1)


@shared
def url(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Environment of midas.toml.")],
) -> None:
    """Print the address of an environment, and nothing else."""
    with session.agent() as agent:
        address = agent.get_environment_url(environment)
    if session.json:
        print_json({"environment": environment, "url": address})
    else:
        write(sys.stdout, f"{plain(address)}\n")


@shared
def unblock(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Environment of midas.toml.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Tag, branch or commit that is blocked.")],
    by: Annotated[str, typer.Option("--by", help="Who lifts the block.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may go there again.")],
) -> None:
    """Lift the block of a version that failed there."""
    if not by.strip() or not reason.strip():
        raise UsageError("lifting a block needs a name and a reason", hint="--by NAME --reason TEXT")
    with session.agent() as agent:
        lifted = agent.unblock(environment, version, by=by, reason=reason)
    if session.json:
        print_json({"environment": environment, "version": version, "lifted": lifted})
    else:
        show(f"{version} may go to {environment} again" if lifted else f"{version} was not blocked there")


@shared
def history(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Environment of midas.toml.")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, newest first.")] = 20,
) -> None:
    """Show what was deployed there: when, by whom, why, and how it ended."""
    with open_records(session) as records:
        entries = records.history(environment, limit)
    if session.json:
        print_json({"environment": environment, "history": entries})
    elif not entries:
        show(f"nothing was deployed to {environment} yet")
    else:
        from midas_devops.interfaces.cli.history import show_history

        show_history(entries)


@shared
def dora(
    session: Session,
    environment: Annotated[
        str, typer.Argument(metavar="[ENV]", help="Default: every production environment.")
    ] = "",
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="How far to look back.")] = 30,
    html: Annotated[str, typer.Option("--html", metavar="FILE", help="Also write a page there.")] = "",
) -> None:
    """Show DORA's four figures: deployment frequency, lead time, change fail rate, recovery time."""
    from midas_devops.interfaces.html.files import require_folder, write_page

    require_folder(html)
    with open_records(session) as records:
        figures = records.dora(environment, days)
    if html:
        from midas_devops.interfaces.html.render import render_dora

        path = write_page(render_dora(figures, days), Path(html))
        if not session.quiet:
            note(f"written: {session.shown(path)}")
    if session.json:
        print_json({"days": days, "environments": figures})
    elif not figures:
        show("midas.toml defines no production environment: name one, such as 'env dora staging'")
    else:
        from midas_devops.interfaces.cli.history import show_figures

        show_figures(figures)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What runs where.", no_args_is_help=True)
    group.command("list", epilog=examples("midas-devops env list --json"))(list_environments)
    group.command("url", epilog=examples('curl "$(midas-devops env url staging)/health"'))(url)
    line = 'midas-devops env unblock staging v1.4.0 --by ana --reason "the database was at fault"'
    group.command("unblock", epilog=examples(line))(unblock)
    group.command("history", epilog=examples("midas-devops env history production --limit 5"))(history)
    group.command("dora", epilog=examples("midas-devops env dora production --days 90 --json"))(dora)
    app.add_typer(group, name="env")
