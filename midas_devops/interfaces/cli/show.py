"""A run, summed up for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import show, write
from midas_devops.interfaces.wording import (
    VERDICT,
    Json,
    blast_radius,
    clock,
    counts,
    elapsed,
    gap,
    next_steps,
    plain,
    release_line,
    said_once,
    span,
    status_of,
    title,
    tracking_line,
)

if TYPE_CHECKING:
    from rich.text import Text

Row = tuple[str, "str | Text"]

_STYLE = {"good": "green", "bad": "red", "waiting": "yellow", "quiet": "dim"}
_MOST_SPANS = 4
_MOST_PATCH_LINES = 60
_MOST_LINES = 6
_OLD = 60
"""Seconds from which on a gate's evidence has an age that is worth a word."""
_MOST_ADDRESSES = 12
_MOST_STEPS = 12


def one_line(run: Json) -> None:
    """Status, run and address, tab-separated: what --quiet leaves."""
    import sys

    parts = [str(run.get("status", "")), str(run.get("run_id", "")), plain(run.get("url") or "")]
    write(sys.stdout, "\t".join(parts).rstrip() + "\n")


def summary(run: Json, *, report: str = "", project: str = "", steps: bool = True) -> None:
    """Status, plan, gates, question, diagnosis, recovery, report and, with ``steps``, what to do next."""
    from rich.table import Table
    from rich.text import Text

    tone, mark, sentence = status_of(run)
    head = Text.assemble(
        (f"{mark} {sentence}", f"bold {_STYLE[tone]}"),
        ("  ·  ", "dim"),
        (title(run), "bold"),
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=11)
    grid.add_column(overflow="fold")
    for label, value in _rows(run, report):
        grid.add_row(f"  {label}", value if isinstance(value, Text) else Text(value))
    show(head, grid)
    for label, command in next_steps(run, project) if steps else ():
        # Not through a table: a command that is folded cannot be pasted.
        _plain_row(label, command)


def _plain_row(label: str, value: str) -> None:
    import sys

    write(sys.stdout, f"  {label:<9}  {value}\n")


def _rows(run: Json, report: str) -> Iterator[Row]:
    took = elapsed(run)
    yield "run", f"{run.get('run_id', '')}" + (f"  {took}" if took else "")
    if run.get("url"):
        yield "url", plain(run["url"])
    yield from _plan_rows(run.get("plan") or {}, run.get("pending") or {})
    yield from _gate_rows(run)
    tracking = run.get("tracking") or {}
    if tracking.get("waiting") or tracking.get("given_up"):
        yield "tracker", tracking_line(tracking)
    said = (run.get("report") or {}).get("summary") or run.get("reason")
    if said and not run.get("diagnosis") and not run.get("pending"):
        yield "result", plain(said)
    outcome = run.get("outcome") or {}
    if outcome.get("changed_anything") and outcome.get("ok") is False and run.get("diagnosis"):
        # The cause alone would leave open what is there now.
        yield "outcome", plain(outcome.get("summary", ""))
    yield from _pending_rows(run.get("pending") or {})
    yield from _diagnosis_rows(run.get("diagnosis") or {})
    yield from _recovery_rows(run)
    yield from _effect_rows(run)
    if report:
        yield "report", report


def _plan_rows(plan: Json, pending: Json) -> Iterator[Row]:
    from rich.text import Text

    if not plan:
        return
    release = plan.get("release")
    yield "plan", release_line(release) if release else counts(plan)
    for position, warning in enumerate((release or {}).get("warnings") or ()):
        yield "beware" if position == 0 else "", Text(plain(warning), style="yellow")
    # Who decides on them reads all of them.
    yield from _step_rows(
        "steps", list((release or {}).get("effects") or ()), None if pending else _MOST_STEPS
    )
    if plan.get("targets"):
        only = ", ".join(plain(address) for address in plan["targets"])
        yield "exception", Text(f"limited to {only}", style="bold yellow")
    radius = plan.get("blast_radius") or {}
    if radius.get("score"):
        yield "radius", blast_radius(radius)
    asked_for = plan.get("requirements") or {}
    for position, lack in enumerate(asked_for.get("gaps", ())):
        yield "lacks" if position == 0 else "", gap(lack)
    if asked_for.get("modules"):
        yield "modules", plain(", ".join(asked_for["modules"]))
    if draft := plan.get("draft"):
        closed = number(draft["gaps_closed"], "gap")
        yield "draft", f"closes {closed} in {plain(', '.join(draft['files']))}; tried in a copy, not applied"
        for line in draft["text"].splitlines()[:_MOST_PATCH_LINES]:
            yield "", plain(line)
    # The question names the same addresses.
    protected = [] if pending.get("addresses") else list(plan.get("protected") or ())
    free = [
        f["address"] for f in plan.get("findings") or () if f["address"] not in (plan.get("protected") or ())
    ]
    for position, address in enumerate(protected[:_MOST_ADDRESSES]):
        yield "guarded" if position == 0 else "", Text(plain(address), style="red")
    if len(protected) > _MOST_ADDRESSES:
        yield "", f"… and {len(protected) - _MOST_ADDRESSES} more"
    for position, address in enumerate(free[:_MOST_ADDRESSES]):
        yield "removes" if position == 0 else "", plain(address)
    if len(free) > _MOST_ADDRESSES:
        yield "", f"… and {len(free) - _MOST_ADDRESSES} more"


def _step_rows(label: str, effects: list[str], most: int | None = None) -> Iterator[Row]:
    """What a release will do, or did, in order."""
    for position, line in enumerate(effects[:most]):
        yield label if position == 0 else "", f"{position + 1}. {plain(line)}"
    if most is not None and len(effects) > most:
        yield "", f"… and {len(effects) - most} more"


def _gate_rows(run: Json) -> Iterator[Row]:
    from rich.text import Text

    gates = list(run.get("gates") or ())
    width = max((len(str(gate.get("name", ""))) for gate in gates), default=0)
    for position, gate in enumerate(gates):
        tone, mark = VERDICT.get(str(gate.get("verdict")), ("quiet", "·"))
        text = Text.assemble(
            (f"{mark} ", _STYLE[tone]),
            f"{plain(gate.get('name', '')):<{width}}  ",
            (f"{gate.get('verdict', '')}: {plain(gate.get('reason', ''))}", "" if tone == "good" else "bold"),
            (_age(gate), "dim"),
        )
        yield "gates" if position == 0 else "", text


def _age(gate: Json) -> str:
    """How old the evidence was when it was judged; nothing for what is measured by judging it."""
    age = gate.get("age_seconds")
    return f" ({span(age)} old)" if isinstance(age, int) and age >= _OLD else ""


def _pending_rows(pending: Json) -> Iterator[Row]:
    from rich.text import Text

    if not pending:
        return
    yield "question", Text(plain(pending.get("question", "")), style="bold yellow")
    addresses = list(pending.get("addresses") or ())
    total = pending.get("addresses_total") or len(addresses)
    for position, address in enumerate(addresses[:_MOST_ADDRESSES]):
        yield "lets go" if position == 0 else "", Text(plain(address), style="red")
    if total > min(len(addresses), _MOST_ADDRESSES):
        yield "", f"… {total} addresses in all"
    yield from _step_rows("rollback", list(pending.get("effects") or ()))
    yield "digest", str(pending.get("digest", ""))
    if pending.get("expires_at"):
        yield "until", clock(pending["expires_at"])


def _diagnosis_rows(diagnosis: Json) -> Iterator[Row]:
    from rich.text import Text

    if not diagnosis:
        return
    kind = str(diagnosis.get("category", "")).replace("_", " ")
    confidence = diagnosis.get("confidence")
    sure = f" ({confidence:.0%} sure)" if isinstance(confidence, float | int) else ""
    if diagnosis.get("verdict") == "inconclusive":
        yield "cause", f"inconclusive: {plain(diagnosis.get('summary', ''))}"
    else:
        yield "cause", Text.assemble((kind, "bold red"), sure, f": {plain(diagnosis.get('summary', ''))}")
    for quote in quotes(list(diagnosis.get("spans") or ())):
        yield "", Text(quote, style="cyan")
    for position, remedy in enumerate(diagnosis.get("remedies") or (), start=1):
        yield "mend it" if position == 1 else "", f"{position}. {plain(remedy)}"


def quotes(spans: list[Any]) -> Iterator[str]:
    """The quoted lines of a diagnosis, each with its place."""
    for quote in spans[:_MOST_SPANS]:
        place = str(quote.get("file", ""))
        place = place[:21] + "…" if place.startswith("artifact:") else place
        lines = plain(quote.get("text", "")).split("\n")
        for offset, line in enumerate(lines[:_MOST_LINES]):
            yield f"│ {place}:{int(quote.get('first_line', 0)) + offset}  {line}"
        if len(lines) > _MOST_LINES:
            yield f"│ … {len(lines) - _MOST_LINES} more lines"


def _recovery_rows(run: Json) -> Iterator[Row]:
    recovery = run.get("recovery") or {}
    verification = run.get("verification") or {}
    if recovery:
        target = recovery.get("to_version") or str(recovery.get("to_commit") or "")[:10]
        ended = {True: ", done", False: ", which failed", None: ""}[recovery.get("ok")]
        words = f"{recovery.get('kind', '')}" + (f" to {target}" if target else "") + ended
        yield "recovery", plain(f"{words}: {recovery.get('reason', '')}")
    if verification:
        yield "verified", plain(f"{verification.get('verdict', '')}: {verification.get('summary', '')}")


def _effect_rows(run: Json) -> Iterator[Row]:
    """Only where something is left open; finished effects are in the report."""
    if run.get("status") not in ("interrupted", "running"):
        return
    for position, effect in enumerate(run.get("effects") or ()):
        state = str(effect.get("state", "")).replace("_", " ")
        yield "effects" if position == 0 else "", f"{state}: {plain(said_once(effect.get('what', '')))}"
