"""The words in which the command line and the HTML page tell how pipelines do. Takes the report's JSON."""

from __future__ import annotations

from midas_devops.domain.counting import number
from midas_devops.interfaces.wording import Json, Tone, clock, plain, span

STATE: dict[str, tuple[Tone, str]] = {
    "passing": ("good", "✔"),
    "failing": ("bad", "✘"),
    "unknown": ("quiet", "·"),
}
_ARROW = {"slower": "↗", "faster": "↘", "steady": "→"}


def headline(report: Json) -> tuple[Tone, str, str]:
    """Tone, mark and sentence of the whole report."""
    failing, all_of_them = len(report["failing"]), len(report["workflows"])
    if failing:
        return "bad", "✘", f"{failing} of {number(all_of_them, 'workflow')} failing"
    if not any(workflow["state"] == "passing" for workflow in report["workflows"]):
        return "quiet", "·", "nothing has run to its end in this window"
    return "good", "✔", f"{number(all_of_them, 'workflow')}, none failing"


def window(report: Json) -> str:
    """``acme/orders on main, 2026-01-01 to 2026-01-31, at most 50 runs per workflow``."""
    on = f"on {report['branch']}" if report["branch"] else "on all branches"
    since = clock(report["since"])[:10] if report["since"] else "the beginning"
    most = number(report["most_runs"], "run")
    return plain(
        f"{report['host']} {on}, {since} to {clock(report['until'])[:10]}, at most {most} per workflow"
    )


def rate(workflow: Json) -> str:
    """``92 % of 25``; a dash when nothing was decided."""
    share = workflow["success_rate"]
    decided = workflow["succeeded"] + workflow["failed"]
    return "-" if share is None else f"{_percent(share)} of {decided}"


def _percent(share: float) -> str:
    # 199 of 200 are not all of them, and 1 of 300 is not none.
    rounded = round(share * 100)
    if share < 1 and rounded == 100:  # noqa: PLR2004 - percent
        return "> 99 %"
    return "< 1 %" if share > 0 and rounded == 0 else f"{rounded} %"


def typical(durations: Json) -> str:
    """The median; a dash when there is none."""
    return "-" if durations["median_seconds"] is None else span(durations["median_seconds"])


def slowest(durations: Json) -> str:
    """The 95th percentile; a dash when there is none."""
    return "-" if durations["p95_seconds"] is None else span(durations["p95_seconds"])


def trend(workflow: Json) -> str:
    """``↗ +25 %``; a dash when there are too few runs."""
    found = workflow["trend"]
    arrow = _ARROW.get(found["direction"])
    if arrow is None:
        return "-"
    change = found["change"]
    if change is None:
        return arrow
    percent = round(change * 100)
    return f"{arrow} {percent:+d} %" if percent else f"{arrow} 0 %"


def trend_in_words(workflow: Json) -> str:
    """``slower: from 4 min to 5 min (+25 %)``; empty when there are too few runs."""
    found = workflow["trend"]
    if found["direction"] == "unknown":
        return ""
    earlier, later = span(found["earlier_seconds"]), span(found["later_seconds"])
    return f"{found['direction']}: from {earlier} to {later}, the later half against the earlier"


def streak(workflow: Json) -> str:
    """``3 runs in a row, since 2026-01-31 14:25 UTC``; empty while it passes."""
    count = workflow["failures_in_a_row"]
    if not count:
        return ""
    return f"{number(count, 'run')} in a row, since {clock(workflow['failing_since'])[:16]} UTC"


def flaky(job: Json) -> str:
    """``test: 2 passed and 1 failed on 1 commit``."""
    on = number(len(job["commits"]), "commit")
    return plain(f"{job['name']}: {job['passed']} passed and {job['failed']} failed on {on}")


def failure(workflow: Json) -> str:
    """``run 42 of abc1234 (push), job test, step Run tests``."""
    last = workflow["last_failure"]
    attempt = f", attempt {last['attempt']}" if last["attempt"] > 1 else ""
    parts = [f"run {last['number']}{attempt} of {last['commit'][:10]} ({last['event'] or 'unknown'})"]
    parts += [f"job {last['job']}"] if last["job"] else []
    parts += [f"step {last['step']}"] if last["step"] else []
    return plain(", ".join(parts))
