"""A model's draft of what a plan lacks: tried before anybody sees it, and never carried out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from midas_devops.context.prompts import render
from midas_devops.domain.changes import GuardVerdict
from midas_devops.domain.draft import ConfigurationDraft, DraftedChange
from midas_devops.domain.guard import evaluate
from midas_devops.domain.planned_values import planned_resources
from midas_devops.domain.requirements import RequiredResource, RequirementsReport, compare
from midas_devops.domain.runs import InfrastructureRequest
from midas_devops.errors import MidasError
from midas_devops.nodes.advice import asked
from midas_devops.nodes.step import Step
from midas_devops.ports.iac import DraftResult, TriesDrafts
from midas_devops.safety.drafts import refusal

_ABOUT = "draft"


def drafted(
    step: Step,
    request: InfrastructureRequest,
    required: tuple[RequiredResource, ...],
    report: RequirementsReport,
    modules: tuple[str, ...],
) -> DraftedChange | None:
    """A change that closes a gap and passed ``fmt``, ``validate`` and the guard; else None."""
    engine = step.engine
    if step.ports.model is None or not report.gaps or not isinstance(engine, TriesDrafts):
        return None
    current = _current_files(step, request)
    prompt = render(
        "plan_draft",
        gaps=[gap.model_dump(mode="json") for gap in report.gaps],
        files=current,
        modules=list(modules),
    )
    draft = asked(step, prompt, ConfigurationDraft, about=_ABOUT)
    if draft is None or not draft.files:
        return None
    files = {file.name: file.text for file in draft.files}
    types = {one.type for one in required} | {gap.type for gap in report.gaps} | engine.resource_types()
    if why := refusal(files, types) or _unshown(step, request, files, current):
        _dropped(step, why)
        return None
    try:
        tried = engine.try_draft(files, step.say)
        return _kept(step, required, report, current, tried, tuple(draft.reasons))
    except MidasError as error:
        _dropped(step, error.message)
        return None


def _kept(
    step: Step,
    required: tuple[RequiredResource, ...],
    before: RequirementsReport,
    current: Mapping[str, str],
    tried: DraftResult,
    reasons: tuple[str, ...],
) -> DraftedChange | None:
    if tried.failure is not None:
        _dropped(step, tried.failure.message)
        return None
    infrastructure = step.environment.infrastructure
    guard = evaluate(
        tried.changes,
        tried.prior_addresses,
        production=step.environment.is_production,
        protected=infrastructure.protected if infrastructure else (),
        allow_destroy=False,
    )
    if guard.findings or guard.verdict is not GuardVerdict.ALLOWED:
        what = guard.findings[0].address if guard.findings else "everything"
        _dropped(step, f"it would destroy {what}")
        return None
    after = compare(required, planned_resources(tried.plan_json))
    if after.met < before.met or len(after.gaps) >= len(before.gaps):
        _dropped(step, "it closes no gap")
        return None
    patch = step.ports.redactor.text(_patch(current, tried.files))
    ref = step.ports.artifacts.put(patch.encode(), "draft.patch")
    closed = len(before.gaps) - len(after.gaps)
    step.audit("draft", rule="6", files=sorted(tried.files), closed=closed)
    return DraftedChange(patch=ref, files=tuple(sorted(tried.files)), gaps_closed=closed, reasons=reasons[:5])


def _current_files(step: Step, request: InfrastructureRequest) -> dict[str, str]:
    """The root module's files as a model may see them."""
    folder = step.ports.root / request.config
    folder = folder if folder.is_dir() else folder.parent
    found = {path.name: path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.tf"))}
    return {name: step.ports.redactor.text(text) for name, text in found.items()}


def _unshown(
    step: Step, request: InfrastructureRequest, files: Mapping[str, str], current: Mapping[str, str]
) -> str:
    """A file that holds a secret was not shown as it is, so nobody can rewrite it."""
    folder = step.ports.root / request.config
    folder = folder if folder.is_dir() else folder.parent
    for name in files:
        path = Path(folder / name)
        if name in current and path.read_text("utf-8", "replace") != current[name]:
            return f"it rewrites {name}, which holds a secret"
    return ""


def _patch(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    lines: list[str] = []
    for name, text in sorted(after.items()):
        old = before.get(name, "")
        lines += difflib.unified_diff(
            old.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"a/{name}" if name in before else "/dev/null",
            f"b/{name}",
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _dropped(step: Step, why: str) -> None:
    """Put on record why nobody sees the draft."""
    step.audit("draft dropped", rule="6", why=why)
    step.say(f"a drafted change was dropped: {why}")
