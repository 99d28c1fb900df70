"""What a run tells the tracker: the question, how far a release has come, and how it ended."""

from __future__ import annotations

import hashlib
from typing import Literal

from midas_devops.domain.changes import Pending
from midas_devops.domain.runs import ReleaseRequest, RunStatus
from midas_devops.nodes.step import Step
from midas_devops.outbox import deliver, queue
from midas_devops.ports.deployer import Release
from midas_devops.ports.ledger import Deployment
from midas_devops.state import Json

CONTEXT = "midas-devops/"
"""Commit statuses of ours begin with it; the environment follows."""
_QUOTED_LINES = 1


def tell_begun(step: Step, release: Release, deployment_id: int, kind: str) -> None:
    """A deployment begins."""
    if not _tells(step, "deployments", "statuses"):
        return
    verb = "rolling back to" if kind == "rollback" else "deploying"
    key = f"{step.run_id}/deployment-{deployment_id}"
    _release_message(
        step,
        f"{key}/begun",
        _marker(step, deployment_id),
        release.version,
        release.commit,
        "in_progress",
        f"{verb} {release.version}",
    )
    _status_message(step, f"{key}/pending", release.commit, "pending", f"{verb} {release.version}")
    deliver(step.ports)


def tell_waiting(step: Step, update: Json) -> None:
    """A person is asked."""
    number = step.request.issue_number
    record = {**step.state, **update}
    if number is None or not record.get("pending") or not _tells(step, "issues"):
        return
    pending = Pending.model_validate(record["pending"])
    lines = [_headline(step, "waits for a person"), "", pending.question, ""]
    planned = record.get("change_plan") or {}
    steps = (planned.get("release") or {}).get("effects", [])
    if pending.kind == "escalation":
        lines += ["Rolling back:", ""] if pending.effects else []
        steps = pending.effects
    # As code: a name in a step is nobody's to be called by.
    shown = [effect.replace("`", "'") for effect in steps]
    lines += [f"{at}. `{effect}`" for at, effect in enumerate(shown, 1)]
    lines += [""] if steps else []
    for warning in (planned.get("release") or {}).get("warnings", []):
        lines.append(f"- {warning}")
    for gate in (record.get("gates") or {}).get("gates", []):
        lines.append(f"- gate {gate['name']}: {gate['verdict']}. {gate['reason']}")
    for answer in record.get("answers", []):
        lines.append(f"- {answer['decision']} by {answer['by']}")
    lines += ["", *_how_to_answer(step, pending), "", f"Run `{step.run_id}`"]
    _comment_message(step, number, "\n".join(lines))


def tell_ended(step: Step, status: RunStatus, summary: str) -> None:
    """The run has ended."""
    number = step.request.issue_number
    if number is not None and _tells(step, "issues"):
        lines = [_headline(step, str(status)), "", summary]
        diagnosis = step.diagnosis
        if diagnosis and diagnosis.spans:
            quoted = diagnosis.spans[0].text.replace("`", "'")
            lines += ["", f"Diagnosis: {diagnosis.category}", "", "```text", quoted, "```"]
        lines += [f"- {given['decision']} by {given['by']}" for given in step.state.get("answers", [])]
        lines += ["", f"Run `{step.run_id}`"]
        _comment_message(step, number, "\n".join(lines))
    if isinstance(step.request, ReleaseRequest) and _tells(step, "deployments", "statuses"):
        mine = [d for d in step.ports.ledger.deployments(step.request.environment) if d.run_id == step.run_id]
        for made in reversed(mine):
            _tell_deployment(step, made)


def _tell_deployment(step: Step, made: Deployment) -> None:
    key = f"{step.run_id}/deployment-{made.deployment_id}"
    if made.status == "started" and not step.ports.ledger.message(f"{key}/begun"):
        return  # refused before it began
    state, said = _state_of(made)
    marker = _marker(step, made.deployment_id)
    _release_message(step, f"{key}/{state}", marker, made.version, made.commit, state, said, made.url)
    _status_message(step, f"{key}/status-{state}", made.commit, state, said, made.url)


def _state_of(made: Deployment) -> tuple[Literal["success", "failure", "error"], str]:
    if made.status == "failed" or made.verified is False:
        return "failure", made.detail or f"{made.version} failed"
    if made.verified:
        return "success", f"{made.version} is verified"
    return "error", f"{made.version}: whether it works is not known"


def _release_message(
    step: Step,
    key: str,
    marker: str,
    version: str,
    commit: str,
    state: Literal["in_progress", "success", "failure", "error"],
    said: str,
    url: str = "",
) -> None:
    if not _tells(step, "deployments"):
        return
    environment = step.request.environment
    body = {
        "marker": marker,
        "environment": environment,
        "production": step.environment.is_production,
        "commit": commit,
        "version": version,
        "state": state,
        "description": said,
        "environment_url": url,
    }
    queue(step.ports, key, "deployment", f"deployments of {environment}", body, run_id=step.run_id)


def _status_message(
    step: Step,
    key: str,
    commit: str,
    state: Literal["pending", "success", "failure", "error"],
    said: str,
    url: str = "",
) -> None:
    if not _tells(step, "statuses"):
        return
    context = f"{CONTEXT}{step.request.environment}"
    body = {
        "commit": commit,
        "context": context,
        "state": state,
        "description": said,
        "target_url": url,
    }
    queue(step.ports, key, "commit_status", f"{context} of {commit}", body, run_id=step.run_id)


def _comment_message(step: Step, number: int, text: str) -> None:
    text = step.ports.redactor.text(text)
    key = f"{step.run_id}/comment/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    body = {"issue": number, "text": text, "marker": step.run_id}
    queue(step.ports, key, "comment", f"issue {number}", body, run_id=step.run_id)


def _how_to_answer(step: Step, pending: Pending) -> list[str]:
    lines = [f"Digest `{pending.digest}`, until {pending.expires_at[:16].replace('T', ' ')} UTC.", ""]
    needs = step.policy.approvals.comment_permission
    if needs and not pending.confirm_word:
        lines += [f"Who has the permission `{needs}` here may answer in the first line of a comment:", ""]
        lines += ["```text", f"/approve {pending.digest}", "```", "", "or `/reject REASON`."]
        lines += [f"`midas-devops runs resume {step.run_id}` takes the answer."]
        return lines
    command = f"midas-devops runs approve {step.run_id} --digest {pending.digest} --by NAME --reason TEXT"
    confirm = f" --confirm {pending.confirm_word}" if pending.confirm_word else ""
    return [*lines, "```console", command + confirm, "```"]


def _headline(step: Step, status: str) -> str:
    return f"**{step.request.operation}** on `{step.request.environment}`: **{status}**"


def _marker(step: Step, deployment_id: int) -> str:
    return f"{step.run_id}/{deployment_id}"


def _tells(step: Step, *of: str) -> bool:
    return step.ports.tracker is not None and bool(set(of) & set(step.policy.tracker.tell))
