"""Conformance suites and fakes for the ports ``TestResults``, ``ScanResults`` and ``CheckResults``.

An adapter's own test subclasses a suite and says how a result is published where the adapter looks for it::

    class TestOurCi(TestResultsConformance):
        __test__ = True

        def publish(self, tmp_path, published): ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.domain.check_rules import judge_checks
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.gate_rules import judge_scan, judge_tests
from midas_devops.domain.gates import Verdict
from midas_devops.ports.results import (
    Check,
    CheckReading,
    CheckResults,
    ReadFailure,
    ScanReading,
    ScanResults,
    TestReading,
    TestResults,
)

COMMIT = "8b7df143d91c716ecfa5fc1730022f6b421b05ce"
OTHER = "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a"


@dataclass(frozen=True)
class PublishedTests:
    """One test result as a tester would publish it."""

    commit: str = COMMIT
    tests: int = 3
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class PublishedScan:
    """One scan result as a scanner would publish it."""

    commit: str = COMMIT
    tool: str = "scanner"
    by_level: dict[str, int] = field(default_factory=dict)
    executed: bool = True
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class PublishedChecks:
    """Checks of one commit as their source would publish them: name → state."""

    commit: str = COMMIT
    states: dict[str, str] = field(default_factory=lambda: {"build": "passed"})


class FakeTestResults:
    """Readings by commit; anything else is missing."""

    __test__ = False

    def __init__(self, readings: dict[str, TestReading] | None = None) -> None:
        self._readings = dict(readings or {})
        self.asked: list[str] = []

    def read(self, commit: str) -> TestReading:
        self.asked.append(commit)
        absent = TestReading(failure=ReadFailure(code="missing", message=f"no tests for {commit}"))
        return self._readings.get(commit, absent)


class FakeScanResults:
    """Readings by commit; anything else is missing."""

    def __init__(self, readings: dict[str, ScanReading] | None = None) -> None:
        self._readings = dict(readings or {})
        self.asked: list[str] = []

    def read(self, commit: str) -> ScanReading:
        self.asked.append(commit)
        absent = ScanReading(failure=ReadFailure(code="missing", message=f"no scan for {commit}"))
        return self._readings.get(commit, absent)


class FakeCheckResults:
    """Readings by commit; anything else is missing."""

    def __init__(self, states: dict[str, dict[str, str]] | None = None) -> None:
        self._states = dict(states or {})
        self.asked: list[str] = []

    def read(self, commit: str) -> CheckReading:
        self.asked.append(commit)
        if commit not in self._states:
            return CheckReading(failure=ReadFailure(code="missing", message=f"no checks for {commit}"))
        checks = tuple(
            Check.model_validate({"name": name, "state": state, "detail": f"is {state}"})
            for name, state in self._states[commit].items()
        )
        return CheckReading(
            commit=commit,
            bound_by="check",
            checks=checks,
            measured_at=datetime.now(UTC),
            evidence=("fake: checks",),
            sha256=sha256_hex(canonical_json(self._states[commit])),
        )


class TestResultsConformance:
    """What every ``TestResults`` adapter does. Subclass it, set ``__test__ = True``, write ``publish``."""

    __test__ = False

    def publish(self, tmp_path: Path, published: PublishedTests | None) -> TestResults:
        """An adapter that finds exactly this result, or nothing for None."""
        raise NotImplementedError

    def _verdict(self, tmp_path: Path, published: PublishedTests | None, commit: str = COMMIT) -> Verdict:
        reading = self.publish(tmp_path, published).read(commit)
        return judge_tests("tests", reading, commit, datetime.now(UTC), timedelta(hours=1)).verdict

    def test_a_good_result_for_the_commit_passes_with_its_counts_and_evidence(self, tmp_path: Path) -> None:
        reading = self.publish(tmp_path, PublishedTests(tests=3, skipped=1)).read(COMMIT)
        assert reading.failure is None
        assert (reading.tests, reading.failures, reading.errors, reading.skipped) == (3, 0, 0, 1)
        assert COMMIT.startswith(reading.commit)
        assert reading.commit
        assert reading.bound_by
        assert reading.evidence
        assert reading.sha256
        assert self._verdict(tmp_path, PublishedTests()) is Verdict.PASSED

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        results = self.publish(tmp_path, PublishedTests())
        assert results.read(COMMIT) == results.read(COMMIT)

    def test_nothing_published_is_missing_and_does_not_raise(self, tmp_path: Path) -> None:
        reading = self.publish(tmp_path, None).read(COMMIT)
        assert reading.failure is not None
        assert reading.failure.code == "missing"

    @pytest.mark.parametrize(
        ("published", "expected"),
        [
            (PublishedTests(failures=1), Verdict.FAILED),
            (PublishedTests(errors=1), Verdict.FAILED),
            (PublishedTests(tests=0), Verdict.INCONCLUSIVE),
            (PublishedTests(tests=2, skipped=2), Verdict.INCONCLUSIVE),
            (PublishedTests(measured_at=datetime(2001, 1, 1, tzinfo=UTC)), Verdict.INCONCLUSIVE),
            (PublishedTests(measured_at=datetime(2999, 1, 1, tzinfo=UTC)), Verdict.INCONCLUSIVE),
        ],
        ids=["failure", "error", "no test", "all skipped", "stale", "from the future"],
    )
    def test_anything_less_does_not_pass(
        self, tmp_path: Path, published: PublishedTests, expected: Verdict
    ) -> None:
        assert self._verdict(tmp_path, published) is expected

    def test_a_result_for_another_commit_does_not_pass(self, tmp_path: Path) -> None:
        assert self._verdict(tmp_path, PublishedTests(commit=OTHER)) is Verdict.INCONCLUSIVE


class ScanResultsConformance:
    """What every ``ScanResults`` adapter does. Subclass it, set ``__test__ = True``, write ``publish``."""

    __test__ = False

    def publish(self, tmp_path: Path, published: PublishedScan | None) -> ScanResults:
        """An adapter that finds exactly this result, or nothing for None."""
        raise NotImplementedError

    def _verdict(self, tmp_path: Path, published: PublishedScan | None, commit: str = COMMIT) -> Verdict:
        reading = self.publish(tmp_path, published).read(commit)
        now = datetime.now(UTC)
        return judge_scan("security", reading, commit, now, timedelta(hours=1), "error").verdict

    def test_a_clean_scan_of_the_commit_passes_with_its_evidence(self, tmp_path: Path) -> None:
        reading = self.publish(tmp_path, PublishedScan(by_level={"note": 2})).read(COMMIT)
        assert reading.failure is None
        assert reading.tools == ("scanner",)
        assert {level: count for level, count in reading.by_level.items() if count} == {"note": 2}
        assert reading.commit
        assert COMMIT.startswith(reading.commit)
        assert reading.evidence
        assert reading.sha256
        assert self._verdict(tmp_path, PublishedScan(by_level={"note": 2})) is Verdict.PASSED

    def test_nothing_published_is_missing_and_does_not_raise(self, tmp_path: Path) -> None:
        reading = self.publish(tmp_path, None).read(COMMIT)
        assert reading.failure is not None
        assert reading.failure.code == "missing"

    @pytest.mark.parametrize(
        ("published", "expected"),
        [
            (PublishedScan(by_level={"error": 1}), Verdict.FAILED),
            (PublishedScan(executed=False), Verdict.ERRORED),
            (PublishedScan(measured_at=datetime(2001, 1, 1, tzinfo=UTC)), Verdict.INCONCLUSIVE),
            (PublishedScan(measured_at=datetime(2999, 1, 1, tzinfo=UTC)), Verdict.INCONCLUSIVE),
        ],
        ids=["a finding", "not executed", "stale", "from the future"],
    )
    def test_anything_less_does_not_pass(
        self, tmp_path: Path, published: PublishedScan, expected: Verdict
    ) -> None:
        assert self._verdict(tmp_path, published) is expected

    def test_a_scan_of_another_commit_does_not_pass(self, tmp_path: Path) -> None:
        assert self._verdict(tmp_path, PublishedScan(commit=OTHER)) is Verdict.INCONCLUSIVE


class CheckResultsConformance:
    """What every ``CheckResults`` adapter does. Subclass it, set ``__test__ = True``, write ``publish``."""

    __test__ = False
    knows_other_commits = True
    """Whether it can have results for one commit and none for another; a program judges any commit."""

    def publish(self, tmp_path: Path, published: PublishedChecks | None) -> CheckResults:
        """An adapter that finds exactly these checks, or nothing for None."""
        raise NotImplementedError

    def _verdict(self, tmp_path: Path, published: PublishedChecks | None, commit: str = COMMIT) -> Verdict:
        reading = self.publish(tmp_path, published).read(commit)
        return judge_checks("ci", reading, commit, datetime.now(UTC), timedelta(hours=1)).verdict

    def test_good_checks_of_the_commit_pass_with_their_evidence(self, tmp_path: Path) -> None:
        reading = self.publish(tmp_path, PublishedChecks()).read(COMMIT)
        assert reading.failure is None
        assert reading.commit == COMMIT
        assert reading.checks
        assert reading.evidence
        assert reading.sha256
        assert self._verdict(tmp_path, PublishedChecks()) is Verdict.PASSED

    def test_reading_twice_gives_the_same_hash(self, tmp_path: Path) -> None:
        results = self.publish(tmp_path, PublishedChecks())
        assert results.read(COMMIT).sha256 == results.read(COMMIT).sha256

    def test_nothing_published_is_no_pass_and_does_not_raise(self, tmp_path: Path) -> None:
        assert self._verdict(tmp_path, None) is Verdict.INCONCLUSIVE

    @pytest.mark.parametrize(
        ("states", "expected"),
        [
            ({"build": "failed"}, Verdict.FAILED),
            ({"build": "inconclusive"}, Verdict.INCONCLUSIVE),
            ({"build": "errored"}, Verdict.ERRORED),
            ({"build": "skipped"}, Verdict.INCONCLUSIVE),
        ],
        ids=["failed", "pending", "errored", "skipped"],
    )
    def test_anything_less_does_not_pass(
        self, tmp_path: Path, states: dict[str, str], expected: Verdict
    ) -> None:
        assert self._verdict(tmp_path, PublishedChecks(states=states)) is expected

    def test_checks_of_another_commit_do_not_pass(self, tmp_path: Path) -> None:
        if not self.knows_other_commits:
            pytest.skip("this adapter judges whatever commit it is given")
        assert self._verdict(tmp_path, PublishedChecks(commit=OTHER)) is Verdict.INCONCLUSIVE
