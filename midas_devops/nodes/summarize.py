"""Condense what a failure left behind into the token budget. The full text stays an artifact."""

from __future__ import annotations

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.outcome import Evidence, Outcome
from midas_devops.nodes.step import Step
from midas_devops.state import Json

MOST_LOGS = 3
EVIDENCE_TOKENS = 2000
CONTEXT_TOKENS = 6000


def summarize(step: Step) -> Json:
    """Evidence per log, and the context that a model would be shown, both within budget."""
    outcome = step.outcome or Outcome(ok=False, stage="plan", summary=step.state.get("reason", ""))
    logs = [*outcome.logs, _verification_log(step)]
    evidence = [_evidence(step, log) for log in logs if log is not None][-MOST_LOGS:]
    context = _context(step, outcome, evidence)
    kept = sum(item.lines_kept for item in evidence)
    total = sum(item.lines_total for item in evidence)
    what = (
        f"{total:,} {'line' if total == 1 else 'lines'} of evidence condensed to {kept:,}"
        if evidence
        else "no log to condense"
    )
    return step.result(what, evidence=evidence, context=context)


def _verification_log(step: Step) -> ArtifactRef | None:
    verification = step.verification
    if verification is None or verification.verdict == "passed":
        return None
    text = "\n".join((verification.summary, *verification.checks)) + "\n"
    return step.ports.artifacts.put(step.ports.redactor.text(text).encode(), "verification.log")


def _evidence(step: Step, log: ArtifactRef) -> Evidence:
    from midas_devops.context.condense import condense_file

    condensed = condense_file(
        step.ports.artifacts.path(log), EVIDENCE_TOKENS // MOST_LOGS, redact=step.ports.redactor.text
    )
    return Evidence(
        source=log.uri,
        full=log,
        condensed=step.ports.artifacts.put(condensed.text.encode(), f"condensed-{log.name}"),
        tokens=condensed.tokens,
        lines_total=condensed.lines_total,
        lines_kept=condensed.lines_kept,
    )


def _context(step: Step, outcome: Outcome, evidence: list[Evidence]) -> ArtifactRef:
    from midas_devops.context.summarizer import Summarizer

    request = step.request
    budget = (
        min(CONTEXT_TOKENS, step.policy.model.budget_tokens // 2) if step.policy.model else CONTEXT_TOKENS
    )
    summary = Summarizer(budget, step.ports.artifacts).fit(
        pinned=[
            f"run {step.run_id}: {request.operation} on {request.environment}",
            f"digest {step.state.get('digest', '')}",
            f"failed: {outcome.summary}"[:500],
        ],
        evidence=[
            f"[{item.source}]\n{step.ports.artifacts.get(item.condensed).decode()}" for item in evidence
        ],
        retrieved=[f"{hit['source']}: {hit['text']}" for hit in step.state.get("retrieved", [])],
        history=[f"{line['at']} {line['node']}: {line['what']}" for line in step.state.get("timeline", [])],
    )
    return step.ports.artifacts.put(summary.text.encode(), "context.txt")
