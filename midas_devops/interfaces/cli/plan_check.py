"""``midas-devops infra check``: what the guard thinks of anybody's plan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midas_devops.domain.counting import number
from midas_devops.errors import UnreadableError, UsageError
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import blast_radius, plain

if TYPE_CHECKING:
    from midas_devops.domain.changes import BlastRadius, GuardReport
    from midas_devops.domain.gates import GateResult

EPILOG = examples(
    "terraform show -json plan.out > plan.json",
    "midas-devops infra check plan.json --env production",
    "midas-devops infra check - --env staging --json < plan.json",
    "midas-devops infra check plan.json --env production --sarif guard.sarif",
    note="Exit codes: 0 allowed, 3 needs approval, 4 blocked, 2 unreadable.",
)
_EXIT = {"allowed": 0, "needs_approval": 3, "blocked": 4}
_MOST_FINDINGS = 200


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
    from midas_devops.domain.blast_radius import measure
    from midas_devops.domain.guard import evaluate
    from midas_devops.domain.plan_document import read_plan

    data = _read(plan_json)
    document = read_plan(data)
    environment = session.settings_or_defaults.environment(env)
    rules = environment.infrastructure
    report = evaluate(
        document.changes,
        document.prior_addresses,
        production=environment.is_production,
        protected=rules.protected if rules else (),
        allow_destroy=rules.allow_destroy if rules else False,
    )
    radius = measure(document.changes, len(document.dependents), whole_environment=report.whole_environment)
    policies = _policies(session, env, data)
    verdict = "blocked" if any(gate.verdict != "passed" for gate in policies) else str(report.verdict)
    if sarif is not None:
        from midas_devops.interfaces.sarif import guard_sarif

        plan_file = "" if plan_json == "-" else plan_json
        text = guard_sarif(report, env, production=environment.is_production, plan_file=plan_file)
        _write_sarif(sarif, text)
        if sarif == "-":
            return _EXIT[verdict]
    if session.json:
        print_json(
            {
                "verdict": verdict,
                "guard": str(report.verdict),
                "policies": [
                    {"name": gate.name, "verdict": str(gate.verdict), "reason": gate.reason}
                    for gate in policies
                ],
                "environment": env,
                "production": environment.is_production,
                "whole_environment": report.whole_environment,
                "plan": document.counts.model_dump(),
                "blast_radius": radius.model_dump(),
                "dependents": list(document.dependents),
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
        write(sys.stdout, f"{verdict}\n")
    else:
        _show_check(report, radius, env, known=env in session.settings_or_defaults.environments)
        for gate in policies:
            show(f"  {'✔' if gate.verdict == 'passed' else '✘'} {plain(gate.name)}: {plain(gate.reason)}")
    return _EXIT[verdict]


def _policies(session: Session, env: str, plan_json: bytes) -> list[GateResult]:
    """The verdict of every gate of kind ``rego`` that the environment's infrastructure has."""
    settings = session.settings_or_defaults
    environment = settings.environment(env)
    names = environment.infrastructure.gates if environment.infrastructure else ()
    gates = [(name, settings.gates[name]) for name in names if name in settings.gates]
    judged = []
    for name, gate in gates:
        if gate.kind != "rego":
            continue
        from midas_devops.adapters.rego import RegoPolicies
        from midas_devops.domain.policy_rules import judge_policies

        facts = {"environment": env, "kind": environment.kind, "production": environment.is_production}
        reading = RegoPolicies(session.root, gate.paths, gate.within).read(plan_json, facts)
        verdict = judge_policies(name, reading)
        judged.append(verdict.model_copy(update={"reason": session.redact(verdict.reason)}))
    return judged


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


def _show_check(report: GuardReport, radius: BlastRadius, env: str, *, known: bool) -> None:
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
    show(head, f"  blast radius {blast_radius(radius.model_dump())}", table)
    if len(report.findings) > _MOST_FINDINGS:
        show(f"  … and {len(report.findings) - _MOST_FINDINGS} more; --json lists them all")
    if report.whole_environment:
        show("  every managed resource of the prior state goes")
