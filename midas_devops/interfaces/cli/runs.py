"""``midas-devops runs``: what happened, what waits, and how it goes on."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from midas_devops.errors import BlockedError, UsageError
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.output import note, print_json, show, write
from midas_devops.interfaces.cli.records import open_records
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.cli.show import one_line, summary
from midas_devops.interfaces.cli.table import NOTHING, Cell, show_list
from midas_devops.interfaces.wording import clock, plain, status_of, title

RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="A run, or the first characters of its id.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]

_STYLE = {"good": "green", "bad": "red", "waiting": "yellow", "quiet": "dim"}


@shared
def list_runs(
    session: Session,
    env: Annotated[str, typer.Option("--env", metavar="ENV", help="Only this environment.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List runs, newest first."""
    with open_records(session) as records:
        runs = records.runs(environment=env, limit=limit)
    if session.json:
        print_json({"runs": runs})
    elif session.quiet:
        write(sys.stdout, "".join(f"{run['run_id']}\n" for run in runs))
    elif not runs:
        show(f"no runs yet{f' for {env}' if env else ''}")
    else:
        _show_list(runs)


def _show_list(runs: list[dict[str, Any]]) -> None:
    from rich.text import Text

    rows: list[list[Cell]] = []
    for run in runs:
        tone, mark, _ = status_of(run)
        rows.append(
            [
                Text(mark, style=_STYLE[tone]),
                run["run_id"],
                Text(run["status"], style=_STYLE[tone]),
                title(run),
                clock(run["started_at"]),
                plain(run["requested_by"]) or NOTHING,
            ]
        )
    show_list(("", "run", "status", "what", "started", "by"), rows, first=3)


@shared
def show_run(session: Session, run_id: RunId) -> None:
    """Show one run in full.

    Plan, gates, question, diagnosis, recovery and effects. The exit code is 0, however the run ended.
    """
    with open_records(session) as records:
        run = records.run(run_id)
    if session.json:
        print_json(run)
    elif session.quiet:
        one_line(run)
    else:
        summary(run, project=session.project)


@shared
def approve(
    session: Session,
    run_id: RunId,
    *,
    digest: Annotated[str, typer.Option("--digest", metavar="D", help="The digest you have seen.")],
    by: By,
    reason: Reason,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="WORD", help="The environment's name, to destroy all of it."),
    ] = None,
) -> int:
    """Approve what a run waits for, and carry it on. The exit code is the run's."""
    _not_blank(digest=digest, by=by, reason=reason)
    if confirm is not None:
        _not_blank(confirm=confirm)
    return carry_out(
        session,
        lambda agent: agent.run(run_id).approve(
            digest.strip(), by=by.strip(), reason=reason.strip(), confirm=(confirm or "").strip()
        ),
    )


@shared
def reject(session: Session, run_id: RunId, by: By, reason: Reason) -> int:
    """Reject what a run waits for. Nothing is done; the exit code is 4."""
    _not_blank(by=by, reason=reason)
    return carry_out(session, lambda agent: agent.run(run_id).reject(by=by.strip(), reason=reason.strip()))


@shared
def resume(session: Session, run_id: RunId) -> int:
    """Continue a run that was cut off, or that was answered on its issue; the exit code is the run's.

    A finished one stays as it is.
    """
    return carry_out(session, lambda agent: agent.run(run_id).resume())


@shared
def report(
    session: Session,
    run_id: RunId,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it. Default: under .midas.")
    ] = "",
) -> None:
    """Write the HTML report of a run.

    One self-contained file; its path is printed.
    """
    from midas_devops.interfaces.html.files import write_report

    with open_records(session) as records:
        run = records.run(run_id)
    path = write_report(session.root, run, output)
    if session.json:
        print_json({"run_id": run["run_id"], "status": run["status"], "report": str(path)})
    else:
        write(sys.stdout, f"{session.shown(path)}\n")


@shared
def prune(session: Session) -> None:
    """Delete plan files and raw logs.

    They are the only files of ours where a secret may rest. Runs that wait for approval lose their saved
    plan, and have to be started again.
    """
    with open_records(session) as records:
        open_runs = [
            run for run in records.runs(limit=1000) if run["status"] in ("running", "awaiting_approval")
        ]
        active = [run["run_id"] for run in open_runs if run["status"] == "running"]
        if active:
            raise BlockedError(
                f"tried to delete private artifacts: run {active[0]} is using them. Nothing was deleted",
                hint="wait until it has ended",
                location=active[0],
            )
        freed = records.prune_private()
    waiting = [run["run_id"] for run in open_runs]
    if waiting:
        note(f"these runs lost their saved plan and have to be started again: {', '.join(waiting)}")
    if session.json:
        print_json({"freed_bytes": freed, "waiting_runs": waiting})
    else:
        write(sys.stdout, f"{freed} bytes of private artifacts deleted\n")


def _not_blank(**options: str) -> None:
    for name, value in options.items():
        if not value.strip():
            raise UsageError(
                f"--{name} is blank; an answer needs one that says something",
                hint="see 'midas-devops runs approve --help'",
                location=f"--{name}",
            )


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What happened, what waits, and how it goes on.", no_args_is_help=True)
    group.command("list", epilog=examples("midas-devops runs list --env staging --limit 5"))(list_runs)
    group.command("show", epilog=examples("midas-devops runs show run-20260131-142509-3f9a1c"))(show_run)
    group.command(
        "approve",
        epilog=examples("midas-devops runs approve RUN_ID --digest 9f2c… --by ana --reason 'see #42'"),
    )(approve)
    group.command(
        "reject", epilog=examples("midas-devops runs reject RUN_ID --by ana --reason 'not on a Friday'")
    )(reject)
    group.command("resume", epilog=examples("midas-devops runs resume RUN_ID"))(resume)
    group.command("report", epilog=examples("midas-devops runs report RUN_ID -o report.html"))(report)
    group.command("prune", epilog=examples("midas-devops runs prune"))(prune)
    app.add_typer(group, name="runs")
