"""``midas-devops infra``: plan, apply and destroy a configuration; find drift; check anybody's plan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midas_devops.errors import UnreadableError, UsageError
from midas_devops.interfaces.cli import drift
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.deploy import IssueNumber, RequestedBy
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import number, plain

if TYPE_CHECKING:
    from midas_devops.domain.changes import GuardReport

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

_EXIT = {"allowed": 0, "needs_approval": 3, "blocked": 4}
_MOST_FINDINGS = 200


@shared
def plan(
    session: Session,
    config: Config,
    env: Environment = "",
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Show what applying would change.

    Changes nothing, and says what the guard thinks of it.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "plan", config, environment=env, requested_by=requested_by, issue_number=issue
        ),
    )


@shared
def apply(
    session: Session,
    config: Config,
    env: Environment = "",
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Plan, ask, apply exactly that plan.

    A person is asked where the guard or the settings say so.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "apply", config, environment=env, requested_by=requested_by, issue_number=issue
        ),
    )


@shared
def destroy(
    session: Session,
    config: Config,
    env: Environment = "",
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Destroy everything of a configuration.

    Needs allow_destroy in midas.toml, an approval, and a typed confirmation.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "destroy", config, environment=env, requested_by=requested_by, issue_number=issue
        ),
    )


@shared
def check(
    session: Session,
    plan_json: Annotated[
        str, typer.Argument(metavar="PLAN_JSON", help="Output of 'terraform show -json PLAN'; - for stdin.")
    ],
    env: Annotated[
        str, typer.Option("--env", metavar="ENV", help="Environment whose rules hold; unknown is production.")
    ] = "production",
    sarif: Annotated[
        str | None,
        typer.Option("--sarif", metavar="FILE", help="Write the findings as SARIF 2.1.0 too; - for stdout."),
    ] = None,
) -> int:
    """Say what the guard thinks of a plan.

    A plan may be applied as it is, needs a person, or is blocked. Reads the file and nothing else.
    """
    if sarif == "-" and session.json:
        raise UsageError(
            "--json and --sarif - both ask for stdout", hint="write SARIF into a file", location="--sarif"
        )
    from midas_devops.domain.guard import evaluate
    from midas_devops.domain.plan_document import read_plan

    document = read_plan(_read(plan_json))
    environment = session.settings_or_defaults.environment(env)
    rules = environment.infrastructure
    report = evaluate(
        document.changes,
        document.prior_addresses,
        production=environment.is_production,
        protected=rules.protected if rules else (),
        allow_destroy=rules.allow_destroy if rules else False,
    )
    if sarif is not None:
        from midas_devops.interfaces.sarif import guard_sarif

        plan_file = "" if plan_json == "-" else plan_json
        text = guard_sarif(report, env, production=environment.is_production, plan_file=plan_file)
        _write_sarif(sarif, text)
        if sarif == "-":
            return _EXIT[report.verdict]
    if session.json:
        print_json(
            {
                "verdict": str(report.verdict),
                "environment": env,
                "production": environment.is_production,
                "whole_environment": report.whole_environment,
                "plan": document.counts.model_dump(),
                "findings": [
                    {
                        "address": finding.address,
                        "actions": list(finding.actions),
                        "type": finding.type,
                        "rule": finding.rule,
                        "reason": finding.reason,
                    }
                    for finding in report.findings
                ],
            }
        )
    elif session.quiet:
        write(sys.stdout, f"{report.verdict}\n")
    else:
        _show_check(report, env, known=env in session.settings_or_defaults.environments)
    return _EXIT[report.verdict]


def _read(plan_json: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if plan_json == "-" else Path(plan_json).read_bytes()
    except OSError as error:
        raise UnreadableError(
            f"tried to read the plan '{plan_json}': {error.strerror}",
            hint="write one with 'terraform show -json PLANFILE > plan.json'",
            location=plan_json,
        ) from error


def _write_sarif(file: str, text: str) -> None:
    if file == "-":
        write(sys.stdout, text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"tried to write SARIF to '{file}': {error.strerror}",
            hint="name a file in a folder that is there",
            location="--sarif",
        ) from error


def _show_check(report: GuardReport, env: str, *, known: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    marks = {"allowed": ("✔", "green"), "needs_approval": ("◐", "yellow"), "blocked": ("⛔", "red")}
    mark, style = marks[report.verdict]
    words = str(report.verdict).replace("_", " ")
    where = env if known else f"{env} (not in midas.toml: production rules)"
    head = Text.assemble(
        (f"{mark} {words}", f"bold {style}"), f"  {number(len(report.findings), 'finding')} for {where}"
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    for finding in report.findings[:_MOST_FINDINGS]:
        table.add_row(
            f"  {plain('/'.join(finding.actions))}",
            Text(plain(finding.address), style="bold", overflow="fold"),
            Text(plain(finding.reason), style="dim"),
        )
    show(head, table)
    if len(report.findings) > _MOST_FINDINGS:
        show(f"  … and {len(report.findings) - _MOST_FINDINGS} more; --json lists them all")
    if report.whole_environment:
        show("  every managed resource of the prior state goes")


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Plan, apply and destroy infrastructure; find drift; check anybody's plan.", no_args_is_help=True
    )
    group.command(
        "plan",
        epilog=examples(
            "midas-devops infra plan infra/staging",
            "midas-devops infra plan infra/staging --json | jq .plan",
        ),
    )(plan)
    group.command(
        "apply",
        epilog=examples(
            "midas-devops infra apply infra/staging",
            "midas-devops infra apply infra/production --requested-by ana --issue 42",
        ),
    )(apply)
    group.command("destroy", epilog=examples("midas-devops infra destroy infra/review-17"))(destroy)
    group.command("drift", epilog=drift.EPILOG)(drift.drift)
    group.command(
        "check",
        epilog=examples(
            "terraform show -json plan.out > plan.json",
            "midas-devops infra check plan.json --env production",
            "midas-devops infra check - --env staging --json < plan.json",
            "midas-devops infra check plan.json --env production --sarif guard.sarif",
            note="Exit codes: 0 allowed, 3 needs approval, 4 blocked, 2 unreadable.",
        ),
    )(check)
    app.add_typer(group, name="infra")
