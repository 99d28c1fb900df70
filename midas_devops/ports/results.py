"""TestResults, ScanResults and CheckResults: what was measured for a commit, before anybody judges it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from midas_devops.domain.base import Value

ReadErrorCode = Literal["missing", "unreadable", "unavailable"]


class ReadFailure(Value):
    """Why there is no result to judge."""

    code: ReadErrorCode
    message: str


class TestReading(Value):
    """Counts of one test report."""

    __test__ = False

    failure: ReadFailure | None = None
    commit: str = ""
    """The commit that the report names, full or abbreviated; empty when it names none."""
    bound_by: str = ""
    """How: ``path``, ``property``, ``check``…"""
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    failed_names: tuple[str, ...] = ()
    """The first 10."""
    incomplete: str = ""
    """Why the report does not tell everything, as a sentence; empty when it does."""
    measured_at: datetime | None = None
    """The oldest of several times."""
    newest_at: datetime | None = None
    """The newest of several times; None when there is but one."""
    evidence: tuple[str, ...] = ()
    sha256: str = ""


class Found(Value):
    """Findings of one rule at one level in one file."""

    rule: str
    """Empty when the tool names none."""
    file: str
    level: str
    count: int
    example: str
    """The first of them, as ``rule file:line message``."""


class ScanReading(Value):
    """Counts of one or several scan reports."""

    failure: ReadFailure | None = None
    commit: str = ""
    bound_by: str = ""
    executed: bool = True
    """False when a tool says that its run was not successful."""
    tools: tuple[str, ...] = ()
    by_level: dict[str, int] = {}
    """SARIF levels: error, warning, note, none. Suppressed results are not counted."""
    findings: tuple[str, ...] = ()
    """The first 10, as ``rule file:line message``."""
    found: tuple[Found, ...] = ()
    """All that is counted, where the source tells the rules apart; empty where it does not."""
    incomplete: str = ""
    """Why the report does not tell everything, as a sentence; empty when it does."""
    measured_at: datetime | None = None
    """The oldest of several times."""
    newest_at: datetime | None = None
    """The newest of several times; None when there is but one."""
    evidence: tuple[str, ...] = ()
    sha256: str = ""


class Check(Value):
    """One check of a commit, as its source concluded it."""

    name: str
    state: Literal["passed", "failed", "inconclusive", "errored", "skipped"]
    detail: str = ""
    """One sentence."""
    url: str = ""


class CheckReading(Value):
    """All checks of one commit."""

    failure: ReadFailure | None = None
    commit: str = ""
    bound_by: str = ""
    checks: tuple[Check, ...] = ()
    incomplete: str = ""
    """Why these are not all of them, as a sentence; empty when they are."""
    measured_at: datetime | None = None
    """The oldest of several times."""
    newest_at: datetime | None = None
    """The newest of several times; None when there is but one."""
    evidence: tuple[str, ...] = ()
    sha256: str = ""


class TestResults(Protocol):
    """Test results for a commit (the seed's ``midas/tester/get_test_results``)."""

    def read(self, commit: str) -> TestReading: ...


class ScanResults(Protocol):
    """Security scan results for a commit (the seed's ``midas/security/get_scan_results``)."""

    def read(self, commit: str) -> ScanReading: ...


class CheckResults(Protocol):
    """Checks of a commit: GitHub's, or what a program says."""

    def read(self, commit: str) -> CheckReading: ...


TestResults.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks of its name
