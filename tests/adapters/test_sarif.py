"""SARIF 2.1.0 as scan results: what is a finding and of which level, what binds it, what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from midas_devops.adapters.sarif import SarifResults
from midas_devops.ports.results import ScanReading, ScanResults
from midas_devops.testing.results import COMMIT, OTHER, PublishedScan, ScanResultsConformance

FIXTURES = Path(__file__).parents[1] / "fixtures" / "gates"
BY_PATH = "reports/{commit}/*.sarif"
Json = dict[str, object]


def run(*results: Json, **more: object) -> Json:
    driver: Json = {"name": "scanner", "rules": more.pop("rules", [])}
    tool: Json = {"driver": driver, "extensions": more.pop("extensions", [])}
    return {"tool": tool, "results": list(results), **more}


def log(*runs: Json, **more: object) -> str:
    return json.dumps({"version": "2.1.0", "runs": list(runs), **more})


def read(root: Path, text: str | bytes, template: str = BY_PATH) -> ScanReading:
    path = root / "reports" / COMMIT / "scan.sarif"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SarifResults(root, template).read(COMMIT)


def refusal(reading: ScanReading) -> str:
    assert reading.failure is not None, reading
    assert reading.failure.code == "unreadable"
    return reading.failure.message


class TestSarifConforms(ScanResultsConformance):
    __test__ = True

    def publish(self, tmp_path: Path, published: PublishedScan | None) -> ScanResults:
        if published is not None:
            results: list[Json] = [
                {"ruleId": "R1", "level": level, "message": {"text": "found"}}
                for level, count in published.by_level.items()
                for _ in range(count)
            ]
            ended = published.measured_at.isoformat()
            invocation = {"executionSuccessful": published.executed, "endTimeUtc": ended}
            provenance = [{"repositoryUri": "https://x.test/r", "revisionId": published.commit}]
            text = log(run(*results, invocations=[invocation], versionControlProvenance=provenance))
            (tmp_path / "scan.sarif").write_text(text)
        return SarifResults(tmp_path, "scan.sarif")


@pytest.fixture(scope="module")
def bandit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bandit")
    (folder / "app.py").write_text("import subprocess\nsubprocess.call(input(), shell=True)\n")
    report = folder / "reports" / COMMIT / "bandit.sarif"
    report.parent.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-f", "sarif", "-o", str(report), "app.py"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return folder


def test_a_report_of_the_real_bandit_is_read_with_its_findings(bandit: Path) -> None:
    reading = SarifResults(bandit, BY_PATH).read(COMMIT)
    report = bandit / "reports" / COMMIT / "bandit.sarif"
    assert reading.tools == ("Bandit",)
    assert reading.by_level == {"note": 1, "error": 1}
    assert any(finding.startswith("B602 app.py:2 ") for finding in reading.findings)
    assert reading.executed
    assert reading.incomplete == ""
    assert (reading.commit, reading.bound_by) == (COMMIT, "path")
    assert reading.sha256 == hashlib.sha256(report.read_bytes()).hexdigest()
    assert reading.measured_at is not None


def test_a_file_that_the_scanner_could_not_parse_makes_the_scan_incomplete(tmp_path: Path) -> None:
    reading = read(tmp_path, (FIXTURES / "bandit-skipped-a-file.sarif").read_bytes())
    assert reading.executed
    assert "c.py" in reading.incomplete


RULES = [
    {"id": "A", "defaultConfiguration": {"level": "error"}},
    {"id": "B", "defaultConfiguration": {"level": "note"}},
    {"id": "C"},
]
EXTENSIONS = [{"name": "pack", "rules": [{"id": "X", "defaultConfiguration": {"level": "error"}}]}]
TO_ERROR = [
    {
        "executionSuccessful": True,
        "ruleConfigurationOverrides": [
            {"descriptor": {"id": "B", "index": 1}, "configuration": {"level": "error"}}
        ],
    }
]
TO_NOTE = [
    {
        "executionSuccessful": True,
        "ruleConfigurationOverrides": [{"descriptor": {"index": 0}, "configuration": {"level": "note"}}],
    }
]


@pytest.mark.parametrize(
    ("result", "level"),
    [
        ({"ruleId": "A"}, "error"),
        ({"ruleId": "A", "level": "note"}, "note"),
        ({"ruleId": "B"}, "note"),
        ({"ruleId": "C"}, "warning"),
        ({"ruleId": "unknown"}, "warning"),
        ({"ruleIndex": 0}, "error"),
        ({"rule": {"index": 1}}, "note"),
        ({"rule": {"id": "A"}}, "error"),
        ({"ruleId": "A/sub/rule"}, "error"),
        ({"rule": {"index": 0, "toolComponent": {"index": 0}}}, "error"),
        ({"ruleId": "X"}, "error"),
        ({"ruleIndex": 99}, "warning"),
        ({"ruleIndex": -1, "ruleId": "A"}, "error"),
        ({"level": "catastrophe"}, "error"),
        ({"level": "none"}, "none"),
        ({"kind": "fail", "ruleId": "A"}, "error"),
        ({"kind": "open", "level": "none", "ruleId": "A"}, "note"),
        ({"kind": "review"}, "note"),
        ({"kind": "novelty", "ruleId": "A"}, "error"),
        ({"baselineState": "unchanged", "ruleId": "A"}, "error"),
        ({"suppressions": [], "ruleId": "A"}, "error"),
        ({"suppressions": [{"kind": "external", "status": "underReview"}], "ruleId": "A"}, "error"),
        (
            {
                "suppressions": [{"kind": "inSource"}, {"kind": "external", "status": "rejected"}],
                "ruleId": "A",
            },
            "error",
        ),
    ],
)
def test_a_finding_has_its_own_level_or_that_of_its_rule(tmp_path: Path, result: Json, level: str) -> None:
    text = log(run(result, rules=RULES, extensions=EXTENSIONS))
    assert read(tmp_path, text).by_level == {level: 1}


@pytest.mark.parametrize(
    "result",
    [
        {"kind": "pass", "ruleId": "A"},
        {"kind": "notApplicable", "ruleId": "A"},
        {"kind": "informational", "level": "none", "ruleId": "A"},
        {"baselineState": "absent", "ruleId": "A"},
        {"suppressions": [{"kind": "inSource"}], "ruleId": "A"},
        {"suppressions": [{"kind": "external", "status": "accepted"}], "ruleId": "A"},
    ],
)
def test_what_passed_is_gone_or_was_accepted_is_no_finding(tmp_path: Path, result: Json) -> None:
    reading = read(tmp_path, log(run(result, rules=RULES)))
    assert reading.by_level == {}
    assert reading.findings == ()


def test_an_override_makes_a_rule_worse_but_never_milder(tmp_path: Path) -> None:
    worse = log(run({"ruleId": "B"}, rules=RULES, invocations=TO_ERROR))
    assert read(tmp_path, worse).by_level == {"error": 1}
    milder = log(run({"ruleIndex": 0}, rules=RULES, invocations=TO_NOTE))
    assert read(tmp_path, milder).by_level == {"error": 1}


def test_one_unsuccessful_run_among_several_is_not_executed(tmp_path: Path) -> None:
    good = run(invocations=[{"executionSuccessful": True}])
    bad = run(invocations=[{"executionSuccessful": True}, {"executionSuccessful": False}])
    assert read(tmp_path, log(good)).executed
    assert not read(tmp_path, log(good, bad)).executed


@pytest.mark.parametrize(
    "text",
    [
        log(),
        log({"tool": {"driver": {"name": "scanner"}}}),
        log({"tool": {"driver": {"name": "scanner"}}, "results": None}),
        log(run(externalPropertyFileReferences={"results": [{"location": {"uri": "more.sarif"}}]})),
        log(run(), inlineExternalProperties=[{"results": [{"level": "error"}]}]),
        log(
            run(
                invocations=[
                    {"executionSuccessful": True, "toolExecutionNotifications": [{"level": "error"}]}
                ]
            )
        ),
    ],
    ids=["no run", "no results", "null results", "other files", "results apart", "error notification"],
)
def test_a_report_that_cannot_tell_everything_says_so(tmp_path: Path, text: str) -> None:
    reading = read(tmp_path, text)
    assert reading.failure is None
    assert reading.incomplete


def provenance(*entries: tuple[str, str]) -> list[Json]:
    return [{"repositoryUri": uri, "revisionId": revision} for uri, revision in entries]


@pytest.mark.parametrize(
    ("entries", "commit"),
    [
        ([("r", COMMIT)], COMMIT),
        ([("r", COMMIT[:10])], COMMIT[:10]),
        ([("r", COMMIT), ("a-submodule", OTHER)], COMMIT),
        ([("r", OTHER)], OTHER),
        ([("r", COMMIT), ("r", OTHER)], OTHER),
        ([], ""),
    ],
)
def test_the_provenance_binds_the_scan(tmp_path: Path, entries: list[tuple[str, str]], commit: str) -> None:
    text = log(run(versionControlProvenance=provenance(*entries)))
    assert read(tmp_path, text, "reports/*/*.sarif").commit == commit


def test_a_revision_inside_contradicts_the_path_and_wins(tmp_path: Path) -> None:
    assert read(tmp_path, log(run(versionControlProvenance=provenance(("r", OTHER))))).commit == OTHER


def test_every_run_has_to_name_the_commit(tmp_path: Path) -> None:
    bound, unbound = run(versionControlProvenance=provenance(("r", COMMIT))), run()
    assert read(tmp_path, log(bound, unbound), "**/scan.sarif").commit == ""


def test_the_end_of_the_oldest_run_is_when_it_was_measured(tmp_path: Path) -> None:
    runs = [
        run(invocations=[{"executionSuccessful": True, "endTimeUtc": f"2026-03-0{day}T10:00:00Z"}])
        for day in (2, 1)
    ]
    reading = read(tmp_path, log(*runs))
    assert reading.measured_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert reading.newest_at == datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (log(run())[:-5], "no complete JSON"),
        ("<testsuite/>", "no complete JSON"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "no complete JSON"),
        ('{"runs": []}', "version"),
        ('{"version": "2.0.0", "runs": []}', "'2.0.0'"),
        ('{"version": "2.1.0"}', "no runs"),
        ('{"version": "2.1.0", "runs": null}', "no runs"),
        ('{"version": "2.1.0", "runs": {}}', "'runs' is no list"),
        ('{"version": "2.1.0", "runs": [3]}', "no object"),
        ('{"version": "2.1.0", "runs": [{"results": []}]}', "names no tool"),
        ('{"version": "2.1.0", "runs": [], "runs": []}', "same key twice"),
        (log(run("x")), "'results' holds something"),  # type: ignore[arg-type]
        (log(run({"level": 3})), "'level' is no text"),
        (log(run({"ruleIndex": "0"})), "'ruleIndex' is no number"),
        (log(run({"suppressions": "all"})), "'suppressions' is no list"),
        (log(run(invocations=[{"executionSuccessful": "yes"}])), "neither true nor false"),
        (b"\x1f\x8b\x08\x00", "not UTF-8"),
        ("", "is empty"),
    ],
)
def test_what_is_no_sound_sarif_is_refused_with_the_reason(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert said in refusal(read(tmp_path, content))


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + log(run()).encode()).tools == ("scanner",)


def test_findings_are_told_apart_by_rule_file_and_level(bandit: Path) -> None:
    reading = SarifResults(bandit, BY_PATH).read(COMMIT)
    assert {(each.rule, each.file, each.level): each.count for each in reading.found} == {
        ("B404", "app.py", "note"): 1,
        ("B602", "app.py", "error"): 1,
    }
    assert all(each.example.startswith(f"{each.rule} app.py:") for each in reading.found)


def test_a_rule_that_is_only_named_by_its_place_is_found_by_it(tmp_path: Path) -> None:
    driver = {"name": "t", "rules": [{"id": "A"}, {"id": "B"}]}
    extension = {"name": "e", "rules": [{"id": "X"}]}
    results = [
        {"ruleIndex": 1, "message": {"text": "m"}},
        {"rule": {"index": 0, "toolComponent": {"index": 0}}, "message": {"text": "m"}},
        {"ruleIndex": 7, "message": {"text": "m"}},
    ]
    run = {"tool": {"driver": driver, "extensions": [extension]}, "results": results}
    (tmp_path / "scan.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    found = SarifResults(tmp_path, "scan.sarif").read(COMMIT).found
    assert {each.rule: each.count for each in found} == {"B": 1, "": 2}
