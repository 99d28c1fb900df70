"""The words that the command line and the HTML report share. Takes runs as the contract's JSON."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from midas_devops.domain.counting import number

Json: TypeAlias = Mapping[str, Any]
Tone: TypeAlias = Literal["good", "bad", "waiting", "quiet"]

STATUS: dict[str, tuple[Tone, str, str]] = {
    "running": ("waiting", "●", "running"),
    "interrupted": ("bad", "◌", "interrupted: nobody is carrying it out any more"),
    "succeeded": ("good", "✔", "succeeded"),
    "failed": ("bad", "✘", "failed"),
    "rolled_back": ("bad", "↺", "failed, and rolled back to the last verified version"),
    "reverted": ("bad", "↺", "failed, and reverted to the last good configuration"),
    "awaiting_approval": ("waiting", "◐", "waits for a person"),
    "rejected": ("quiet", "⊘", "rejected: nothing was done"),
    "blocked": ("bad", "⛔", "blocked: nothing was done"),
    "inconclusive": ("bad", "?", "inconclusive"),
}
"""Status → tone, mark, sentence."""

VERDICT: dict[str, tuple[Tone, str]] = {
    "passed": ("good", "✔"),
    "failed": ("bad", "✘"),
    "inconclusive": ("waiting", "?"),
    "errored": ("bad", "!"),
}

OPERATION = {
    "deploy_release": "release",
    "manage_infrastructure": "infrastructure",
    "setup_pipeline": "pipeline",
}

_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: object) -> str:
    """Text from outside without terminal escapes, control characters and direction overrides (rule 6)."""
    return _CONTROL.sub("", str(text).replace("\t", "    "))


def status_of(run: Json) -> tuple[Tone, str, str]:
    """Tone, mark and sentence of a run's status; an unknown one is shown as it is."""
    status = str(run.get("status", ""))
    return STATUS.get(status, ("quiet", "·", status))


def title(run: Json) -> str:
    """``release v1.0.0 → staging``, ``apply infra/production → production``."""
    request = run.get("request") or {}
    target = run.get("environment", "")
    operation = OPERATION.get(str(run.get("operation", "")), str(run.get("operation", "")))
    if request.get("rollback"):
        return plain(f"rollback {target}" + (f" → {request['version']}" if request.get("version") else ""))
    if request.get("version"):
        return plain(f"{operation} {request['version']} → {target}")
    if request.get("action"):
        return plain(f"{request['action']} {request.get('config', '')} → {target}")
    return plain(f"{operation} → {target}")


def counts(plan: Json) -> str:
    """``2 to add, 1 to destroy``; ``no changes`` when there are none."""
    words = [
        ("add", "to add"),
        ("change", "to change"),
        ("replace", "to replace"),
        ("destroy", "to destroy"),
        ("forget", "to forget"),
    ]
    parts = [f"{plan[key]} {says}" for key, says in words if plan.get(key)]
    return ", ".join(parts) or "no changes"


def blast_radius(radius: Json) -> str:
    """``40/100: 1 destroyed, 1 of them stateful``: the score with the counts that it comes from."""
    words = [
        ("destroyed", "destroyed"),
        ("stateful", "of them stateful"),
        ("dependents", "built on them"),
        ("updated", "updated"),
    ]
    parts = [f"{radius[key]} {says}" for key, says in words if radius.get(key)]
    return f"{radius['score']}/100: {', '.join(parts) or 'nothing can be lost'}"


def gap(lack: Json) -> str:
    """One thing that the architect asked for and a plan does not provide, as a sentence."""
    what = f"{lack['type']} {lack['name']}".strip()
    place = f"{lack['address']}: {lack['attribute']}"
    told = {
        "missing": f"{what} is not there",
        "too_few": f"{what}: {lack['wanted']} are needed, {lack['found']} would be there",
        "different": f"{place} is {lack['found']}, {lack['wanted']} is needed",
        "not_set": f"{place} is not set, {lack['wanted']} is needed",
        "not_known": f"{place} is known only after the apply, {lack['wanted']} is needed",
    }[lack["kind"]]
    return plain(f"{told} ({lack['reason']})" if lack["reason"] else told)


def release_line(release: Json) -> str:
    """``v1.0.0 (1a2b…) → v1.1.0 (3c4d…): 3 commits, 5 files``."""
    target = _named_commit(release.get("to_version"), release.get("to_commit"))
    if not release.get("from_commit"):
        return plain(f"{target}: the first release here")
    start = _named_commit(release.get("from_version"), release["from_commit"])
    commits, files = release.get("commits_total", 0), release.get("files_changed", 0)
    return plain(f"{start} → {target}: {number(commits, 'commit')}, {number(files, 'file')}")


def _named_commit(version: object, commit: object) -> str:
    """``v1.0.0 (1a2b…)``; the hash once where nobody calls it otherwise."""
    named = str(version or "")
    return short(commit) if str(commit).startswith(named) else f"{named} {short(commit)}"


def tracking_line(tracking: Json) -> str:
    """What the tracker has still to be told, and why."""
    parts = []
    if tracking.get("waiting"):
        parts.append(f"{number(tracking['waiting'], 'message')} waiting")
    if tracking.get("given_up"):
        parts.append(f"{number(tracking['given_up'], 'message')} given up")
    why = f": {plain(tracking['why'])}" if tracking.get("why") else ""
    return f"{', '.join(parts) or 'everything is told'}{why}"


def short(commit: object) -> str:
    """The first ten characters of a hash, in parentheses; empty for none."""
    return f"({str(commit)[:10]})" if commit else ""


def moment(text: object) -> datetime | None:
    """An ISO 8601 time; None when it is none."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def clock(text: object) -> str:
    """``2026-01-31 14:25:09 UTC``; the text itself when it is no time."""
    at = moment(text)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else plain(text or "")


def span(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 3 h``."""
    if seconds < 10:  # noqa: PLR2004 - below, a tenth of a second says something
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def elapsed(run: Json) -> str:
    """How long the run took; empty while it is open."""
    start, end = moment(run.get("started_at")), moment(run.get("ended_at"))
    return span((end - start).total_seconds()) if start and end else ""


def ago(text: object, now: datetime) -> str:
    """``3 min ago``; empty for no time."""
    at = moment(text)
    if at is None:
        return ""
    passed = now - at
    return "just now" if passed < timedelta(seconds=2) else f"{span(passed.total_seconds())} ago"


def quoted(text: str) -> str:
    """A word as a shell takes it."""
    return shlex.quote(plain(text))


def command(*words: str, project: str = "") -> str:
    """A command line of ours that can be pasted; ``project`` is what was given with --project."""
    start = ["midas-devops", *(["--project", quoted(project)] if project else [])]
    return " ".join([*start, *words])


def approve_command(run: Json, project: str = "") -> str:
    """The exact command that approves what a run waits for."""
    pending = run.get("pending") or {}
    words = ["runs approve", str(run.get("run_id", "")), "--digest", str(pending.get("digest", ""))]
    words += ["--by NAME", "--reason TEXT"]
    if pending.get("confirm_word"):
        words.append(f"--confirm {quoted(str(pending['confirm_word']))}")
    return command(*words, project=project)


def next_steps(run: Json, project: str = "") -> list[tuple[str, str]]:
    """What a person can do now: (why, command)."""
    run_id, status = str(run.get("run_id", "")), run.get("status")
    if status == "awaiting_approval":
        choices = (run.get("pending") or {}).get("choices") or {}
        reject = command("runs reject", run_id, "--by NAME --reason TEXT", project=project)
        # What an answer does is said where it is not what its name says.
        return [
            ("keep it" if choices.get("approve") == "keep" else "approve", approve_command(run, project)),
            ("roll back" if choices.get("reject") == "rollback" else "reject", reject),
        ]
    if status == "interrupted":
        return [("continue", command("runs resume", run_id, project=project))]
    if status in ("failed", "rolled_back", "reverted", "inconclusive", "blocked"):
        return [("details", command("runs show", run_id, project=project))]
    return []


def said_once(what: object) -> str:
    """An effect without a verb before its verb: ``apply apply infra: …`` is ``apply infra: …``."""
    return re.sub(r"\Aapply (?=(?:apply|destroy) )", "", str(what))


def dora_rows(found: Json) -> list[tuple[str, str]]:
    """DORA's four figures of one environment, each with its name."""
    rate, judged = found["change_failure_rate"], found["deployments"] + found["failures"]
    still = "; one incident is not over" if found["unrestored"] else ""
    count = number(found["deployments"], "deployment")
    failed = f"{found['failures']} of {number(judged, 'deployment')}"
    return [
        ("deployment frequency", f"{found['deployments_per_day']:.2f} a day ({count})"),
        ("change lead time", _median(found["lead_time_seconds"])),
        ("change fail rate", "-" if rate is None else f"{rate:.0%} ({failed})"),
        ("recovery time", _median(found["restore_time_seconds"]) + still),
    ]


def _median(seconds: float | None) -> str:
    return "-" if seconds is None else f"{span(seconds)} (median)"
