"""``midas-devops pipeline``: propose a pipeline, and see which ones there are."""

from __future__ import annotations

import json as json_format
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midas_devops.errors import UnreadableError, UsageError
from midas_devops.interfaces.cli.carry_out import carry_out
from midas_devops.interfaces.cli.deploy import IssueNumber, RequestedBy
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.pipeline_health import EPILOG, pipeline_health
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.cli.table import NOTHING, show_list
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
    refresh_pins: Annotated[
        bool,
        typer.Option(
            "--refresh-pins", help="Ask GitHub for newer releases of the actions, of the same major."
        ),
    ] = False,
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
    if refresh_pins and given.get("platform") != "jenkins":
        given["pins"] = {**_newest_pins(session), **given.get("pins", {})}
    # A mistake in it, or a validator that is not there, is exit 2 before a run begins.
    if parse_details(given).platform == "github-actions":
        required_validators()
    elif session.settings.jenkins:
        from midas_devops.adapters.jenkins_api import JenkinsApi

        JenkinsApi.from_settings(session.settings, os.environ)
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


def _newest_pins(session: Session) -> dict[str, Any]:
    """Never fails: what cannot be asked keeps the shipped pin, and says so."""
    from midas_devops.adapters.github_pins import newest_pins

    tracker = session.settings.tracker
    found, notes = newest_pins(tracker.api_url, os.environ.get(tracker.token_env, ""))
    for note in notes:
        write(sys.stderr, f"midas-devops: {plain(session.redact(note))}\n")
    return found


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
    """Show the pipelines of this project, and what they lack.

    From their files, and from the host where midas.toml names one: environments, protections, permissions,
    names of secrets.
    """
    from midas_devops.use_cases.project_pipelines import pipeline_config

    config = pipeline_config(session.root, session.settings_or_defaults)
    if session.json:
        print_json(config)
    elif session.quiet:
        write(sys.stdout, "".join(f"{plain(one['file'])}\n" for one in config["workflows"]))
    else:
        _print(config)


def _print(config: Mapping[str, Any]) -> None:
    for workflow in config["workflows"]:
        heading = f"{workflow['file']}  {workflow['name']}".rstrip()
        show(plain(heading))
        if workflow["problem"]:
            continue  # told below, among what is missing
        show(f"  on {plain(', '.join(workflow['triggers']) or 'nothing that can be told')}")
        rows = [
            [
                plain(job["id"]),
                plain(job["runs_on"]) or NOTHING,
                plain(", ".join(job["needs"])) or NOTHING,
                plain(job["environment"]) or NOTHING,
                f"{plain(str(job['timeout_minutes']))} min" if job["timeout_minutes"] else NOTHING,
                str(len(job["steps"])),
            ]
            for job in workflow["jobs"]
        ]
        labels = ("job", "runs on", "needs", "environment", "timeout", "steps")
        show_list(labels, rows, first=1, indent=2)
        if workflow["secrets"]:
            show(f"  secrets: {plain(', '.join(workflow['secrets']))}")
    if config["host"]:
        _print_host(config["host"])
    elif config["host_problem"]:
        show(f"⚠ the host was not asked: {plain(config['host_problem'])}")
    for lack in config["missing"]:
        show(f"✘ {plain(lack)}")
    if not config["missing"]:
        show("✔ nothing is missing")


def _print_host(host: Mapping[str, Any]) -> None:
    show(f"{plain(host['host'])}, default branch {plain(host['default_branch'] or '-')}")
    for workflow in host["workflows"] if host["platform"] == "jenkins" else ():
        show(f"  job {plain(workflow['name'])}: {plain(workflow['state'])}")
    rules = host["branch"]
    if rules:
        checks = "not readable" if rules["required_checks"] is None else ", ".join(rules["required_checks"])
        guarded = "protected" if rules["protected"] else "not protected"
        show(f"  {plain(rules['branch'])}: {guarded}; required checks: {plain(checks) or 'none'}")
    for one in host["environments"]:
        who = ", ".join(one["reviewers"]) or "nobody"
        where = "every branch" if one["branches"] is None else ", ".join(one["branches"]) or "no branch"
        show(f"  environment {plain(one['name'])}: approved by {plain(who)}; from {plain(where)}")
        if one["secrets"]:
            show(f"    secrets: {plain(', '.join(one['secrets']))}")
    for kind in ("secrets", "variables"):
        if host[kind]:
            show(f"  {kind}: {plain(', '.join(host[kind]))}")
    for line in host["unknown"]:
        show(f"  ? {plain(line)}")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Set up and look at CI/CD pipelines.", no_args_is_help=True)
    group.command("setup", epilog=SETUP_EPILOG)(setup)
    group.command("health", epilog=EPILOG)(pipeline_health)
    group.command("show", epilog=examples("midas-devops pipeline show --json"))(show_pipelines)
    app.add_typer(group, name="pipeline")
