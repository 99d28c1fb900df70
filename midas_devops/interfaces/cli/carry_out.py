"""What every command that runs an operation does: progress, questions, the report, the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from midas_devops.interfaces.cli.output import note, print_json
from midas_devops.interfaces.cli.progress import live_progress
from midas_devops.interfaces.cli.show import one_line, summary
from midas_devops.interfaces.wording import approve_command

if TYPE_CHECKING:
    from midas_devops.agent import DevOpsAgent
    from midas_devops.interfaces.cli.ask import Answer
    from midas_devops.interfaces.cli.session import Session
    from midas_devops.run import Run

Operation = Callable[["DevOpsAgent"], "Run"]


def carry_out(session: Session, operation: Operation, *, may_ask: bool = True) -> int:
    """Run it; ask where somebody can be asked; show the result. Returns the exit code of the run."""
    run = _under_progress(session, operation)
    while may_ask and session.interactive and run.pending:
        from midas_devops.interfaces.cli.ask import ask

        answer = ask(run.to_json())
        if answer is None:
            break
        run = _under_progress(session, _answered(answer, run.id))
    return finish(session, run.to_json(), run.exit_code)


def _answered(answer: Answer, run_id: str) -> Operation:
    return lambda agent: answer.give(agent.run(run_id))


def finish(session: Session, run: dict[str, Any], code: int) -> int:
    """Write the HTML report and show the run as it was asked for."""
    from midas_devops.interfaces.html.files import write_report

    path = write_report(session.root, run)
    if session.json:
        print_json({**run, "report": {**(run.get("report") or {}), "path": str(path)}})
    elif session.quiet:
        one_line(run)
    else:
        summary(run, report=session.shown(path), project=session.project)
    if run.get("status") == "awaiting_approval" and (session.json or session.quiet):
        note(f"waits for a person: {approve_command(run, session.project)}")
    return code


def _under_progress(session: Session, operation: Operation) -> Run:
    with live_progress(session) as listen, session.agent(listen) as agent:
        run = operation(agent)
        if run.id not in session.run_ids:
            session.run_ids.append(run.id)
        return run
