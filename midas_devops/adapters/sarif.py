"""Scan results from SARIF 2.1.0 files. Section numbers are those of the OASIS standard."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

from midas_devops.adapters.junit import bind, parse_time
from midas_devops.adapters.report_files import ReportError, ReportFile, read_reports
from midas_devops.adapters.sarif_levels import level_of, rules_of
from midas_devops.adapters.sarif_shape import Shape, index, member, objects, text
from midas_devops.ports.results import Found, ReadFailure, ScanReading

MAX_FINDINGS = 10
_NO_FINDING = frozenset({"pass", "notApplicable", "informational"})


class SarifResults:
    """Reads the files of one ``sarif`` gate.

    ``path_template`` is relative to ``root``; a ``{commit}`` in it binds what is found to that commit.
    """

    def __init__(self, root: Path, path_template: str) -> None:
        self._root = root
        self._template = path_template

    def read(self, commit: str) -> ScanReading:
        """All matching files as one reading. Never raises for what a file holds."""
        reports = read_reports(self._root, self._template, commit)
        if reports.failure is not None:
            return ScanReading(failure=reports.failure)
        counted = _Counted()
        try:
            for file in reports.files:
                counted.add_file(file, commit)
        except ReportError as error:
            return ScanReading(
                failure=ReadFailure(code="unreadable", message=str(error)),
                evidence=reports.evidence,
                sha256=reports.sha256,
            )
        named, bound_by = bind(
            counted.commits, commit, by_path="{commit}" in self._template, inside="provenance"
        )
        known = [moment for moment in counted.times if moment is not None]
        return ScanReading(
            commit=named,
            bound_by=bound_by,
            executed=counted.executed,
            tools=tuple(dict.fromkeys(counted.tools)),
            by_level=dict(counted.by_level),
            findings=tuple(counted.findings[:MAX_FINDINGS]),
            found=tuple(counted.found()),
            incomplete=counted.incomplete[0] if counted.incomplete else "",
            measured_at=min(known) if known and len(known) == len(counted.times) else None,
            newest_at=max(known) if len(known) > 1 else None,
            evidence=reports.evidence,
            sha256=reports.sha256,
        )


class _Counted:
    """What all runs of all files add up to."""

    def __init__(self) -> None:
        self.commits: list[tuple[str, ...]] = []
        self.executed = True
        self.tools: list[str] = []
        self.by_level: Counter[str] = Counter()
        self.findings: list[str] = []
        self.incomplete: list[str] = []
        self.times: list[datetime | None] = []
        self._places: Counter[tuple[str, str, str]] = Counter()
        self._examples: dict[tuple[str, str, str], str] = {}

    def found(self) -> list[Found]:
        """One entry per rule, file and level."""
        return [
            Found(rule=rule, file=file, level=level, count=count, example=self._examples[rule, file, level])
            for (rule, file, level), count in self._places.items()
        ]

    def add_file(self, file: ReportFile, commit: str) -> None:
        log = _parse(file)
        runs = objects(log, "runs")
        if "runs" not in log or log["runs"] is None:
            raise ReportError(f"{file.path} is no SARIF log: it has no runs")
        if not runs:
            self.incomplete.append(f"{file.path} holds no run of any tool")
        if log.get("inlineExternalProperties"):
            self.incomplete.append(f"{file.path} keeps parts of its runs apart, and they are not read")
        for run in runs:
            try:
                self._add_run(file, run, commit)
            except ReportError as error:
                raise ReportError(f"{file.path}: {error}") from error

    def _add_run(self, file: ReportFile, run: Shape, commit: str) -> None:
        tool = text(member(member(run, "tool"), "driver"), "name")
        if not tool:
            raise ReportError("a run names no tool")
        self.tools.append(tool)
        self.commits.append(_named_commits(run, commit))
        invocations = objects(run, "invocations")
        self._add_invocations(file, tool, invocations)
        if run.get("externalPropertyFileReferences"):
            self.incomplete.append(f"{tool} keeps parts of its run in other files, and they are not read")
        if run.get("results") is None:
            # 3.14.23: no results at all: the scan was not made. An empty list: it found nothing.
            self.incomplete.append(f"{tool} has not written any results, not even an empty list")
        rules = rules_of(run)
        for result in objects(run, "results"):
            level = level_of(result, rules)
            if level and not _set_aside(result):
                self.by_level[level] += 1
                place = (_rule(result, run), _place(result)[0], level)
                self._places[place] += 1
                self._examples.setdefault(place, _describe(result))
                if level != "none":
                    self.findings.append(_describe(result))

    def _add_invocations(self, file: ReportFile, tool: str, invocations: list[Shape]) -> None:
        ended = [text(invocation, "endTimeUtc") for invocation in invocations]
        self.times += [parse_time(moment) for moment in ended if moment] or [file.modified]
        for invocation in invocations:
            successful = invocation.get("executionSuccessful", True)
            if not isinstance(successful, bool):
                raise ReportError("executionSuccessful is neither true nor false")
            self.executed = self.executed and successful
            for kind in ("toolExecutionNotifications", "toolConfigurationNotifications"):
                for notice in objects(invocation, kind):
                    # 3.58.6: at level error the tool could not do a part of its work.
                    if notice.get("level") == "error":
                        said = text(member(notice, "message"), "text") or "an error"
                        self.incomplete.append(f"{tool} could not scan everything: {said}{_where(notice)}")


def _parse(file: ReportFile) -> Shape:
    def once(pairs: list[tuple[str, object]]) -> Shape:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ReportError(f"{file.path} gives the same key twice in one object")
        return found

    try:
        log = json.loads(file.data.decode("utf-8-sig"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise ReportError(f"{file.path} is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{file.path} is no complete JSON: {error}") from error
    if not isinstance(log, dict):
        raise ReportError(f"{file.path} is no SARIF log: it is not a JSON object")
    if log.get("version") != "2.1.0":
        raise ReportError(f"{file.path} is no SARIF 2.1.0 log: version is {str(log.get('version'))[:40]!r}")
    return log


def _named_commits(run: Shape, commit: str) -> tuple[str, ...]:
    """The revisions that a run names; those of other repositories count only when none is the asked one."""
    named = [
        (text(entry, "repositoryUri"), text(entry, "revisionId"))
        for entry in objects(run, "versionControlProvenance")
    ]
    named = [(repository, revision) for repository, revision in named if revision]
    ours = {repository for repository, revision in named if commit.startswith(revision.lower())}
    return tuple(revision for repository, revision in named if not ours or repository in ours)


def _set_aside(result: Shape) -> bool:
    """Whether somebody accepted the result (3.35.3), or it is gone since the baseline (3.27.24)."""
    if result.get("baselineState") == "absent" or result.get("kind") in _NO_FINDING:
        return True
    suppressions = objects(result, "suppressions")
    return bool(suppressions) and all(
        suppression.get("status", "accepted") == "accepted" for suppression in suppressions
    )


def _describe(result: Shape) -> str:
    rule = text(result, "ruleId") or text(member(result, "rule"), "id") or "?"
    message = member(result, "message")
    said = text(message, "text") or text(message, "markdown") or text(message, "id")
    return " ".join(f"{rule}{_where(result)} {said}".split())[:300]


def _rule(result: Shape, run: Shape) -> str:
    """The rule's id: 3.27.5 and, by its place among the driver's rules, 3.27.6; empty when none is named."""
    named = text(result, "ruleId") or text(member(result, "rule"), "id")
    if named:
        return named
    position = index(result, "ruleIndex") if "ruleIndex" in result else index(member(result, "rule"), "index")
    rules = objects(member(member(run, "tool"), "driver"), "rules")
    of_driver = not member(member(result, "rule"), "toolComponent")
    return text(rules[position], "id") if of_driver and 0 <= position < len(rules) else ""


def _where(result: Shape) -> str:
    uri, line = _place(result)
    if not uri:
        return ""
    return f" {uri}:{line}" if line is not None else f" {uri}"


def _place(result: Shape) -> tuple[str, int | None]:
    """File and line of the first location; an empty file when there is none."""
    for location in objects(result, "locations")[:1]:
        physical = member(location, "physicalLocation")
        uri = text(member(physical, "artifactLocation"), "uri")
        line = member(physical, "region").get("startLine")
        return uri, line if isinstance(line, int) else None
    return "", None
