"""``midas-devops infra``: plan, apply and destroy a configuration; find drift; check anybody's plan."""

from __future__ import annotations

from typing import Annotated

import typer

from midas_devops.errors import UsageError
from midas_devops.interfaces.cli import drift, outputs, plan_check
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.deploy import IssueNumber, RequestedBy
from midas_devops.interfaces.cli.outputs import Config, Environment
from midas_devops.interfaces.cli.session import Session, examples, shared

Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="A variable, on top of midas.toml. Secrets: set TF_VAR_NAME instead.",
    ),
]
VariableFiles = Annotated[
    list[str] | None,
    typer.Option("--var-file", metavar="FILE", help="A file of variables, relative to the project."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="ADDRESS",
        help="Plan nothing but this and what it needs: an exception, and shown as one everywhere.",
    ),
]
PlanFile = Annotated[
    str,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Apply this plan, saved with 'terraform plan -out=FILE', instead of a new one.",
    ),
]


@shared
def plan(
    session: Session,
    config: Config,
    env: Environment = "",
    var: Variables = None,
    var_file: VariableFiles = None,
    target: Targets = None,
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Show what applying would change.

    Changes nothing, and says what the guard thinks of it.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "plan",
            config,
            environment=env,
            variables=_pairs(var),
            var_files=var_file or (),
            targets=target or (),
            requested_by=requested_by,
            issue_number=issue,
        ),
    )


@shared
def apply(
    session: Session,
    config: Config,
    env: Environment = "",
    var: Variables = None,
    var_file: VariableFiles = None,
    target: Targets = None,
    plan_file: PlanFile = "",
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Plan, ask, apply exactly that plan.

    A person is asked where the guard or the settings say so.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "apply",
            config,
            environment=env,
            variables=_pairs(var),
            var_files=var_file or (),
            targets=target or (),
            plan_file=plan_file,
            requested_by=requested_by,
            issue_number=issue,
        ),
    )


@shared
def destroy(
    session: Session,
    config: Config,
    env: Environment = "",
    var: Variables = None,
    var_file: VariableFiles = None,
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Destroy everything of a configuration.

    Needs allow_destroy in midas.toml, an approval, and a typed confirmation.
    """
    return carry_out(
        session,
        lambda agent: agent.manage_infrastructure(
            "destroy",
            config,
            environment=env,
            variables=_pairs(var),
            var_files=var_file or (),
            requested_by=requested_by,
            issue_number=issue,
        ),
    )


def _pairs(written: list[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in written or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            # What was typed may be a secret that lost its name.
            raise UsageError("a --var has no name", hint="write --var NAME=VALUE", location="--var")
        pairs[name] = value
    return pairs


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
            "midas-devops infra apply infra/staging --var replicas=3 --var-file infra/common.tfvars",
            "midas-devops infra apply infra/production --plan saved.tfplan",
        ),
    )(apply)
    group.command("destroy", epilog=examples("midas-devops infra destroy infra/review-17"))(destroy)
    group.command("drift", epilog=drift.EPILOG)(drift.drift)
    group.command("outputs", epilog=outputs.OUTPUTS_EPILOG)(outputs.outputs)
    group.command("workspace", epilog=outputs.WORKSPACE_EPILOG)(outputs.workspace)
    group.command("check", epilog=plan_check.EPILOG)(plan_check.check)
    app.add_typer(group, name="infra")
