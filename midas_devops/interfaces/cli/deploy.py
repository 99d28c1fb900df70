"""``midas-devops deploy``."""

from __future__ import annotations

from typing import Annotated

import typer

from midas_devops.errors import UsageError
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.session import Session, examples, shared

EPILOG = examples(
    "midas-devops deploy staging v1.4.0",
    "midas-devops deploy production v1.4.0 --requested-by ana --issue 42",
    "midas-devops deploy staging main --json | jq .url",
    "midas-devops deploy production --rollback --reason 'orders are lost'",
    "midas-devops deploy production --rollback --to v1.3.2",
    note="Exit codes: 0 deployed and verified, 1 failed, 2 usage, 3 waits for approval, 4 blocked or"
    " rejected, 5 failed and rolled back.",
)

RequestedBy = Annotated[
    str, typer.Option("--requested-by", metavar="NAME", help="Who asks. Default: the account that runs this.")
]
IssueNumber = Annotated[
    int | None, typer.Option("--issue", metavar="N", min=1, help="Issue that tracks this change.")
]


@shared
def deploy(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENV", help="Environment of midas.toml.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Tag, branch or commit.")] = "",
    *,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Return to the verified version before, or to --to.")
    ] = False,
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="Where --rollback goes: verified there before.")
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; blocks the version that --rollback leaves.")
    ] = "",
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Put a version on an environment and verify it, or return to one that was verified there.

    Plans, checks the gates, asks where a person must decide, deploys, verifies, and rolls back to the last
    verified version when that fails.
    """
    if rollback:
        if version:
            raise UsageError(
                f"--rollback goes to a version by --to, not by an argument ('{version}')",
                hint=f"midas-devops deploy {environment} --rollback --to {version}",
            )
        return carry_out(
            session,
            lambda agent: agent.roll_back(
                environment, to_version=to, reason=reason, requested_by=requested_by, issue_number=issue
            ),
        )
    if to or reason:
        raise UsageError("--to and --reason belong to --rollback", hint="midas-devops deploy --help")
    if not version:
        raise UsageError(
            f"which version is to go to {environment}?",
            hint=f"midas-devops deploy {environment} VERSION, or --rollback; see midas-devops deploy --help",
        )
    return carry_out(
        session,
        lambda agent: agent.deploy_release(
            environment, version, requested_by=requested_by, issue_number=issue
        ),
    )


def register(app: typer.Typer) -> None:
    app.command("deploy", epilog=EPILOG)(deploy)
