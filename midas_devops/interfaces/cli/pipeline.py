"""``midas-devops pipeline``: propose a pipeline, and see which ones there are."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midas_devops.errors import UnreadableError, UsageError
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.deploy import IssueNumber, RequestedBy
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

SETUP_EPILOG = examples(
    "midas-devops pipeline setup . --platform github-actions",
    "midas-devops pipeline setup acme/orders --details pipeline.json --json",
    note="The proposal is a branch, on GitHub with a pull request; nothing that stands there is overwritten.",
)


@shared
def setup(
    session: Session,
    repository: Annotated[str, typer.Argument(metavar="REPO", help="Folder, owner/name or URL.")],
    platform: Annotated[
        str | None,
        typer.Option("--platform", metavar="NAME", help="github-actions (default) or jenkins."),
    ] = None,
    details: Annotated[
        str | None,
        typer.Option("--details", metavar="FILE", help="JSON with config_details; see docs/pipelines.md."),
    ] = None,
    requested_by: RequestedBy = "",
    issue: IssueNumber = None,
) -> int:
    """Propose a CI/CD pipeline for a repository.

    Detects what the repository is, renders a pipeline, checks it, and proposes it on a branch of its own.
    """
    from midas_devops.pipelines.details import parse_details
    from midas_devops.pipelines.validate import required_validators

    given = _details(details)
    if platform:
        if given.get("platform", platform) != platform:
            raise UsageError(
                f"--platform is {platform}, but {details} says {given['platform']}",
                hint="Give one of them.",
                location="--platform",
            )
        given["platform"] = platform
    # A mistake in it, or a validator that is not there, is exit 2 before a run begins.
    if parse_details(given).platform == "github-actions":
        required_validators()
    folder = Path(repository).expanduser()
    if not folder.is_dir() and session.settings.tracker.using != "github":
        raise UsageError(
            f"there is no folder '{session.redact(repository)}', and GitHub is not configured",
            hint='Give a folder, or set using = "github" in [tracker] of midas.toml.',
            location="REPO",
        )
    where = str(folder.resolve()) if folder.is_dir() else repository
    return carry_out(
        session,
        lambda agent: agent.setup_pipeline(where, given, requested_by=requested_by, issue_number=issue),
    )


def _details(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        given = json_format.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise UnreadableError(
            f"could not read config_details from '{path}': {broken}",
            hint="Give a JSON file with one object.",
            location="--details",
        ) from broken
    if not isinstance(given, dict):
        raise UnreadableError(f"'{path}' holds no JSON object", hint='Write {"branches": ["main"]}, say.')
    return given


@shared
def show_pipelines(session: Session) -> None:
    """Show the pipelines of this project, and what they lack."""
    from midas_devops.pipelines.describe import describe
    from midas_devops.pipelines.tree import FolderTree

    config = describe(FolderTree(session.root), session.redact).model_dump(mode="json")
    if session.json:
        print_json(config)
    elif session.quiet:
        write(sys.stdout, "".join(f"{plain(one['file'])}\n" for one in config["workflows"]))
    else:
        _print(config)


def _print(config: Mapping[str, Any]) -> None:
    from rich.table import Table

    for workflow in config["workflows"]:
        heading = f"{workflow['file']}  {workflow['name']}".rstrip()
        show(plain(heading), f"  on {plain(', '.join(workflow['triggers']) or 'nothing that can be told')}")
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim", pad_edge=True)
        for column in ("job", "runs on", "needs", "environment", "timeout", "steps"):
            table.add_column(column, no_wrap=True)
        for job in workflow["jobs"]:
            timeout = job["timeout_minutes"]
            table.add_row(
                plain(job["id"]),
                plain(job["runs_on"]) or "-",
                plain(", ".join(job["needs"])) or "-",
                plain(job["environment"]) or "-",
                f"{plain(str(timeout))} min" if timeout else "-",
                str(len(job["steps"])),
            )
        show(table)
        if workflow["secrets"]:
            show(f"  secrets: {plain(', '.join(workflow['secrets']))}")
    for lack in config["missing"]:
        show(f"✘ {plain(lack)}")
    if not config["missing"]:
        show("✔ nothing is missing")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Set up and look at CI/CD pipelines.", no_args_is_help=True)
    group.command("setup", epilog=SETUP_EPILOG)(setup)
    group.command("show", epilog=examples("midas-devops pipeline show --json"))(show_pipelines)
    app.add_typer(group, name="pipeline")
