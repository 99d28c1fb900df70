"""What an existing pipeline lacks against our own checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from midas_devops.pipelines import groovy

_PINNED = re.compile(r"[^@]+@[0-9a-f]{40}")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_REPORTED = re.compile(r"junit", re.IGNORECASE)
_AT_COMMIT = re.compile(
    r"reports/(?:\$\{\{\s*github\.sha\s*\}\}|\$\{?(?:GITHUB_SHA|GIT_COMMIT|env\.GIT_COMMIT)\b)"
)
_SCANNED = re.compile(r"sarif", re.IGNORECASE)


def workflow_missing(
    read: Mapping[Any, Any], jobs: Mapping[str, dict[str, Any]], triggers: tuple[str, ...], text: str
) -> Iterator[str]:
    """One sentence per lack of a GitHub workflow."""
    bare = [key for key, job in jobs.items() if "permissions" not in job]
    if "permissions" not in read and bare:
        yield f"no permissions are set for {_listed(bare)}: they get the repository's default"
    if "write-all" in (read.get("permissions"), *(job.get("permissions") for job in jobs.values())):
        yield "permissions are write-all"
    for key, job in jobs.items():
        used = [step["uses"] for step in _steps(job) if isinstance(step.get("uses"), str)]
        used += [job["uses"]] if isinstance(job.get("uses"), str) else []
        loose = [
            name for name in used if not name.startswith(("./", "docker://")) and not _PINNED.fullmatch(name)
        ]
        if loose:
            yield f"{key}: not pinned to a commit: {_listed(sorted(set(loose)))}"
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"{key}: no timeout"
        if any(_keeps_credentials(step) for step in _steps(job)):
            yield f"{key}: checkout leaves its token behind (persist-credentials is not false)"
    if "concurrency" not in read and any(name.split(" ")[0] == "push" for name in triggers):
        yield "no concurrency: runs of the same branch overlap"
    yield from _reports(_COMMENT.sub("", text))


def _keeps_credentials(step: dict[str, Any]) -> bool:
    given = step.get("with")
    inputs = given if isinstance(given, dict) else {}
    is_checkout = str(step.get("uses", "")).startswith("actions/checkout@")
    return is_checkout and str(inputs.get("persist-credentials", "true")).lower() != "false"


def jenkins_missing(pipeline: groovy.Block, text: str) -> Iterator[str]:
    """One sentence per lack of a Jenkinsfile."""
    options = pipeline.child("options")
    if not any(line.startswith("timeout(") for line in (options.statements if options else ())):
        yield "no timeout"
    yield from _reports(text)


def _reports(text: str) -> Iterator[str]:
    if not _REPORTED.search(text):
        yield "no test results are reported (JUnit)"
    elif not _AT_COMMIT.search(text):
        yield "test results are not kept at reports/<commit>/, where a gate looks"
    if not _SCANNED.search(text):
        yield "no scan is reported (SARIF)"


def _steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    steps = job.get("steps")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004 - one line
