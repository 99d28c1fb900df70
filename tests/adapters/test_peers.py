"""Results handed over in graph state: taken as typed data or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from midas_devops.adapters.peers import PeerScanResults, PeerTestResults
from midas_devops.ports.results import ScanResults, TestResults
from midas_devops.testing.results import (
    COMMIT,
    PublishedScan,
    PublishedTests,
    ScanResultsConformance,
    TestResultsConformance,
)

NOW = datetime.now(UTC).isoformat()
TESTS = {"commit": COMMIT, "tests": 2, "failures": 0, "errors": 0, "skipped": 0, "measured_at": NOW}
SCAN = {"commit": COMMIT, "tool": "t", "by_level": {}, "executed": True, "measured_at": NOW}


class TestPeerTestsConform(TestResultsConformance):
    __test__ = True

    def publish(self, tmp_path: Path, published: PublishedTests | None) -> TestResults:
        if published is None:
            return PeerTestResults(None)
        return PeerTestResults({**vars(published), "measured_at": published.measured_at.isoformat()})


class TestPeerScanConforms(ScanResultsConformance):
    __test__ = True

    def publish(self, tmp_path: Path, published: PublishedScan | None) -> ScanResults:
        return PeerScanResults(vars(published) if published else {})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"tests": "2"}, "tests"),
        ({"tests": True}, "tests"),
        ({"failures": -1}, "failures"),
        ({"commit": "main"}, "commit"),
        ({"commit": ""}, "commit"),
        ({"measured_at": "2026-01-01T00:00:00"}, "measured_at"),
        ({"measured_at": "today"}, "measured_at"),
        ({"measured_at": 1_700_000_000}, "measured_at"),
        ({"failure": 0}, "failure"),
        ({"evidence": "path"}, "evidence"),
    ],
)
def test_a_malformed_payload_of_a_tester_is_unreadable_and_says_where(
    change: dict[str, object], where: str
) -> None:
    reading = PeerTestResults({**TESTS, **change}).read(COMMIT)
    assert reading.failure is not None
    assert reading.failure.code == "unreadable"
    assert f": {where}: " in reading.failure.message


@pytest.mark.parametrize("missing", sorted(TESTS))
def test_a_count_that_is_left_out_is_not_zero(missing: str) -> None:
    reading = PeerTestResults({key: TESTS[key] for key in TESTS if key != missing}).read(COMMIT)
    assert reading.failure is not None
    assert missing in reading.failure.message


@pytest.mark.parametrize(
    "change",
    [{"by_level": {"fatal": 1}}, {"by_level": {"error": -1}}, {"executed": 1}, {"tool": ""}, {"levels": {}}],
)
def test_a_malformed_payload_of_a_scanner_is_unreadable(change: dict[str, object]) -> None:
    reading = PeerScanResults({**SCAN, **change}).read(COMMIT)
    assert reading.failure is not None
    assert reading.failure.code == "unreadable"


def test_the_hash_of_the_evidence_moves_with_what_was_said() -> None:
    one = PeerTestResults(TESTS).read(COMMIT)
    other = PeerTestResults({**TESTS, "tests": 3}).read(COMMIT)
    assert one.sha256 == PeerTestResults(dict(reversed(TESTS.items()))).read(COMMIT).sha256
    assert one.sha256 != other.sha256
