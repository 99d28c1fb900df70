"""Test results from JUnit XML files, counted case by case: pytest, Surefire, Gradle, gtest, Jest and kin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat

from midas_devops.adapters.report_files import ReportError, ReportFile, read_reports
from midas_devops.domain.counting import number
from midas_devops.domain.excerpt import excerpt
from midas_devops.ports.results import ReadFailure, TestReading

MAX_DEPTH = 100
MAX_NAMES = 10
_SUITES = frozenset({"testsuite", "testsuites"})
_SUITE_PROPERTIES = (["testsuite", "properties"], ["testsuites", "properties"])
_DIGITS = re.compile(r"[0-9]{1,9}")
_PYTEST = "pytest"
_NOT_RUN = frozenset({"skipped", "notrun", "disabled", "ignored", "suppressed"})
_NOT_PASSED = frozenset({"failed", "failure", "fail", "error"})


class JUnitResults:
    """Reads the files of one ``junit`` gate.

    ``path_template`` is relative to ``root``; a ``{commit}`` in it binds what is found to that commit.
    """

    def __init__(self, root: Path, path_template: str) -> None:
        self._root = root
        self._template = path_template

    def read(self, commit: str) -> TestReading:
        """All matching files as one reading. Never raises for what a file holds."""
        reports = read_reports(self._root, self._template, commit)
        evidence = {"evidence": reports.evidence, "sha256": reports.sha256}
        if reports.failure is not None:
            return TestReading(failure=reports.failure)
        try:
            counted = [_count(file) for file in reports.files]
        except ReportError as error:
            failure = ReadFailure(code="unreadable", message=str(error))
            return TestReading.model_validate({"failure": failure, **evidence})
        named, bound_by = bind(
            [tuple(report.commits) for report in counted],
            commit,
            by_path="{commit}" in self._template,
            inside="property",
        )
        times = [moment for report in counted for moment in report.times]
        known = [moment for moment in times if moment is not None]
        return TestReading(
            commit=named,
            bound_by=bound_by,
            tests=sum(report.tests for report in counted),
            failures=sum(report.failures for report in counted),
            errors=sum(report.errors for report in counted),
            skipped=sum(report.skipped for report in counted),
            failed_names=tuple(name for report in counted for name in report.failed)[:MAX_NAMES],
            incomplete=next((report.incomplete for report in counted if report.incomplete), ""),
            measured_at=min(known) if len(known) == len(times) else None,
            newest_at=max(known) if len(known) > 1 else None,
            evidence=reports.evidence,
            sha256=reports.sha256,
        )


def bind(
    commits_of_each: list[tuple[str, ...]], commit: str, *, by_path: bool, inside: str
) -> tuple[str, str]:
    """Which commit the reports are for, and what says so.

    A report that names another commit wins over the path and over every other report. Without the path, each
    report has to name the commit itself.
    """
    for named in (name for names in commits_of_each for name in names):
        if not commit.startswith(named.lower()):
            return named, inside
    if by_path:
        return commit, "path"
    if commits_of_each and all(commits_of_each):
        return min((name for names in commits_of_each for name in names), key=len), inside
    return "", ""


@dataclass
class _Suite:
    """One open suite: what it claims, and what was found in it so far."""

    name: str
    claims: dict[str, int]
    listed: int = 0
    """Test cases in it and its inner suites; for pytest, what it claims when that is more."""
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0

    def worse(self) -> tuple[int, int, int, int]:
        """Claim or count, whichever speaks less well of the release."""
        return (
            min(self.claims.get("tests", self.tests), self.tests),
            max(self.claims.get("failures", 0), self.failures),
            max(self.claims.get("errors", 0), self.errors),
            max(self.claims.get("skipped", 0), self.claims.get("disabled", 0), self.skipped),
        )


@dataclass
class _Case:
    """One open test case."""

    name: str
    outcome: set[str] = field(default_factory=set)


@dataclass
class _Report:
    """Counts of one file, filled while it is parsed; nothing of it is kept in memory."""

    path: str
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    times: list[datetime | None] = field(default_factory=list)
    incomplete: str = ""
    _open: list[str] = field(default_factory=list)
    _suites: list[_Suite] = field(default_factory=list)
    _case: _Case | None = None

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        tag = qualified.rpartition(":")[2]
        if not self._open and tag not in _SUITES:
            raise ReportError(f"{self.path} is no JUnit report: its root is <{tag[:40]}>")
        if len(self._open) >= MAX_DEPTH:
            raise ReportError(f"{self.path} is nested deeper than {MAX_DEPTH} elements")
        self._open.append(tag)
        if tag in _SUITES:
            self._start_suite(attributes)
        elif tag == "testcase":
            self._start_case(attributes)
        elif tag in ("failure", "error", "skipped"):
            self._note_outcome(tag, attributes)
        elif self._open[-3:-1] in _SUITE_PROPERTIES and attributes.get("name") == "commit":
            self.commits.append(attributes.get("value", "").strip() or "(empty)")

    def end(self, qualified: str) -> None:
        self._open.pop()
        tag = qualified.rpartition(":")[2]
        if tag == "testcase" and self._case is not None:
            self._end_case(self._case)
        elif tag in _SUITES:
            self._end_suite()

    def _start_suite(self, attributes: dict[str, str]) -> None:
        self._suites.append(_Suite(attributes.get("name", ""), self._claims(attributes)))
        if "timestamp" in attributes:
            self.times.append(parse_time(attributes["timestamp"]))

    def _claims(self, attributes: dict[str, str]) -> dict[str, int]:
        claims: dict[str, int] = {}
        for key in ("tests", "failures", "errors", "skipped", "disabled"):
            text = attributes.get(key, "").strip()
            if text and not _DIGITS.fullmatch(text):
                raise ReportError(f"{self.path} claims {key}='{text[:40]}', which is no number of tests")
            if text:
                claims[key] = int(text)
        return claims

    def _start_case(self, attributes: dict[str, str]) -> None:
        if self._case is not None:
            raise ReportError(f"{self.path} has a test case inside a test case")
        owner, name = attributes.get("classname", ""), attributes.get("name", "?")
        self._case = _Case(f"{owner}.{name}" if owner else name)
        said = {attributes.get("status", "").lower(), attributes.get("result", "").lower()}
        if said & _NOT_RUN:
            self._case.outcome.add("skipped")
        if said & _NOT_PASSED:
            self._case.outcome.add("failure")

    def _note_outcome(self, tag: str, attributes: dict[str, str]) -> None:
        if self._case is not None:
            self._case.outcome.add(tag)
        elif tag != "skipped":
            self._suites[-1].errors += 1
            self._name(attributes.get("message", f"<{tag}> of a suite"))

    def _end_case(self, case: _Case) -> None:
        suite = self._suites[-1]
        suite.tests += 1
        suite.listed += 1
        suite.failures += "failure" in case.outcome
        suite.errors += "error" in case.outcome
        suite.skipped += case.outcome == {"skipped"}
        if case.outcome & {"failure", "error"}:
            self._name(case.name)
        self._case = None

    def _end_suite(self) -> None:
        suite = self._suites.pop()
        claimed = suite.claims.get("tests", 0)
        if suite.name == _PYTEST:
            # pytest counts subtests and does not list them: the fewer tests are the careful reading.
            suite.listed = max(suite.listed, claimed)
        elif claimed > suite.listed and not self.incomplete:
            what = f"suite '{' '.join(suite.name.split())[:100]}'" if suite.name else "a suite"
            self.incomplete = f"{self.path}: {what} claims {number(claimed, 'test')} and lists {suite.listed}"
        tests, failures, errors, skipped = suite.worse()
        if self._suites:
            outer = self._suites[-1]
            outer.listed += suite.listed
            outer.tests += tests
            outer.failures += failures
            outer.errors += errors
            outer.skipped += skipped
        else:
            self.tests, self.failures, self.errors, self.skipped = tests, failures, errors, skipped

    def _name(self, name: str) -> None:
        if len(self.failed) < MAX_NAMES:
            self.failed.append(excerpt(" ".join(name.split()), 200))


def _count(file: ReportFile) -> _Report:
    report = _Report(file.path)
    parser = expat.ParserCreate()
    parser.StartElementHandler = report.start
    parser.EndElementHandler = report.end

    def refuse(*_: object) -> None:
        raise ReportError(f"{file.path} declares a document type; entities are never expanded here")

    # JUnit reports have no document type. Without one there are no entities, neither bombs nor files.
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(file.data, True)
    except expat.ExpatError as error:
        raise ReportError(f"{file.path} is no complete XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise ReportError(f"{file.path} cannot be decoded: {error}") from error
    if not report.times:
        report.times.append(file.modified)
    return report


def parse_time(text: str) -> datetime | None:
    """ISO 8601 → aware datetime; None when it is none. Without a zone it is UTC, as Gradle writes it."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
