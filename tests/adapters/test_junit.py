"""JUnit XML as test results: what is counted, what binds it to a commit, what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.junit import JUnitResults
from midas_devops.adapters.report_files import MAX_FILES, MAX_TOTAL_BYTES
from midas_devops.domain.gate_rules import judge_tests
from midas_devops.domain.gates import Verdict
from midas_devops.ports.results import TestReading, TestResults
from midas_devops.testing.results import COMMIT, OTHER, PublishedTests, TestResultsConformance

FIXTURES = Path(__file__).parents[1] / "fixtures" / "gates"
BY_PATH = "reports/{commit}/junit.xml"
CASES = '<testcase name="a"/><testcase name="b"/>'


def write(root: Path, text: str | bytes, *, name: str = "junit.xml", commit: str = COMMIT) -> Path:
    path = root / "reports" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(root: Path, text: str | bytes, template: str = BY_PATH) -> TestReading:
    write(root, text)
    return JUnitResults(root, template).read(COMMIT)


def refusal(reading: TestReading) -> str:
    assert reading.failure is not None, reading
    assert reading.failure.code == "unreadable"
    return reading.failure.message


class TestJUnitConforms(TestResultsConformance):
    __test__ = True

    def publish(self, tmp_path: Path, published: PublishedTests | None) -> TestResults:
        if published is not None:
            outcomes = ["<failure/>"] * published.failures + ["<error/>"] * published.errors
            outcomes += ["<skipped/>"] * published.skipped
            outcomes += [""] * (published.tests - len(outcomes))
            cases = "".join(f'<testcase name="t{i}">{o}</testcase>' for i, o in enumerate(outcomes))
            (tmp_path / "junit.xml").write_text(
                f'<testsuite timestamp="{published.measured_at.isoformat()}"><properties>'
                f'<property name="commit" value="{published.commit}"/></properties>{cases}</testsuite>'
            )
        return JUnitResults(tmp_path, "junit.xml")


def test_a_report_of_the_real_pytest_is_counted_as_pytest_counts(tmp_path: Path) -> None:
    (tmp_path / "test_real.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "@pytest.mark.skip\ndef test_not_now(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError('no disk')\n"
        "def test_unlucky(broken): pass\n"
    )
    report = tmp_path / "reports" / COMMIT / "junit.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    reading = JUnitResults(tmp_path, BY_PATH).read(COMMIT)
    assert (reading.tests, reading.failures, reading.errors, reading.skipped) == (4, 1, 1, 1)
    assert reading.failed_names == ("test_real.test_bad", "test_real.test_unlucky")
    assert (reading.commit, reading.bound_by) == (COMMIT, "path")
    assert reading.evidence == (f"reports/{COMMIT}/junit.xml",)
    assert reading.sha256 == hashlib.sha256(report.read_bytes()).hexdigest()
    assert reading.measured_at is not None
    assert abs((datetime.now(UTC) - reading.measured_at).total_seconds()) < 300


def test_a_test_that_passed_at_last_is_flaky_and_no_failure(tmp_path: Path) -> None:
    reading = read(tmp_path, (FIXTURES / "surefire-flaky.xml").read_bytes())
    assert (reading.tests, reading.failures, reading.errors) == (3, 0, 0)


def test_a_test_that_failed_again_when_rerun_fails_once(tmp_path: Path) -> None:
    reading = read(tmp_path, (FIXTURES / "surefire-rerun.xml").read_bytes())
    assert (reading.tests, reading.failures, reading.errors) == (2, 1, 0)


def test_disabled_tests_are_skipped_and_the_oldest_time_counts(tmp_path: Path) -> None:
    reading = read(tmp_path, (FIXTURES / "gtest-disabled.xml").read_bytes())
    assert (reading.tests, reading.skipped) == (3, 1)
    assert reading.measured_at == datetime(2026, 3, 2, 11, 5, 8, 2000, tzinfo=UTC)
    assert reading.newest_at == datetime(2026, 3, 2, 11, 5, 9, 131000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("xml", "counts"),
    [
        (
            f'<testsuite failures="0">{CASES}<testcase name="c"><failure/></testcase></testsuite>',
            (3, 1, 0, 0),
        ),
        (f'<testsuite failures="1">{CASES}</testsuite>', (2, 1, 0, 0)),
        (f'<testsuites errors="2"><testsuite>{CASES}</testsuite></testsuites>', (2, 0, 2, 0)),
        (f'<testsuite tests="0">{CASES}</testsuite>', (0, 0, 0, 0)),
        (f'<testsuite tests="9">{CASES}</testsuite>', (2, 0, 0, 0)),
        ('<testsuite tests="9" failures="0"/>', (0, 0, 0, 0)),
        (f'<testsuite skipped="2">{CASES}</testsuite>', (2, 0, 0, 2)),
        (f"<testsuite><testsuite>{CASES}</testsuite>{CASES}</testsuite>", (4, 0, 0, 0)),
        (f'<testsuite>{CASES}<error message="import failed"/></testsuite>', (2, 0, 1, 0)),
        ("<testsuite><testcase><failure/><error/></testcase></testsuite>", (1, 1, 1, 0)),
        ("<testsuite><testcase><skipped/><failure/></testcase></testsuite>", (1, 1, 0, 0)),
        ('<testsuite><testcase status="failed"/></testsuite>', (1, 1, 0, 0)),
        ("<testsuite><group><testcase><x><failure/></x></testcase></group></testsuite>", (1, 1, 0, 0)),
        ('<j:testsuite xmlns:j="urn:j"><j:testcase><j:failure/></j:testcase></j:testsuite>', (1, 1, 0, 0)),
    ],
)
def test_of_claim_and_count_the_worse_is_taken(
    tmp_path: Path, xml: str, counts: tuple[int, int, int, int]
) -> None:
    reading = read(tmp_path, xml)
    assert (reading.tests, reading.failures, reading.errors, reading.skipped) == counts


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ('<testsuite tests="5"><testcase name="a"/></testsuite>', "a suite claims 5 tests and lists 1"),
        (f'<testsuite name="api" tests="3">{CASES}</testsuite>', "suite 'api' claims 3 tests and lists 2"),
        (
            f'<testsuites name="all" tests="4"><testsuite>{CASES}</testsuite></testsuites>',
            "suite 'all' claims 4",
        ),
        (
            f'<testsuites><testsuite>{CASES}</testsuite><testsuite name="x" tests="1"/></testsuites>',
            "suite 'x' claims 1 test and lists 0",
        ),
        (f'<testsuite name="pytest-unit" tests="3">{CASES}</testsuite>', "claims 3 tests and lists 2"),
    ],
)
def test_a_suite_that_lists_fewer_tests_than_it_claims_decides_nothing(
    tmp_path: Path, xml: str, said: str
) -> None:
    reading = read(tmp_path, xml)
    assert said in reading.incomplete
    assert f"reports/{COMMIT}/junit.xml" in reading.incomplete
    now = datetime.now(UTC)
    assert judge_tests("tests", reading, COMMIT, now, timedelta(hours=1)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "xml",
    [
        f'<testsuite name="pytest" tests="5">{CASES}</testsuite>',
        f'<testsuites tests="5"><testsuite name="pytest" tests="5">{CASES}</testsuite></testsuites>',
        f'<testsuites tests="2"><testsuite tests="1">{CASES}</testsuite></testsuites>',
        f"<testsuite>{CASES}</testsuite>",
    ],
    ids=["subtests", "subtests in a whole", "lists more", "claims nothing"],
)
def test_a_suite_that_lists_what_it_claims_is_complete(tmp_path: Path, xml: str) -> None:
    reading = read(tmp_path, xml)
    assert reading.incomplete == ""
    assert reading.tests > 0
    now = datetime.now(UTC)
    assert judge_tests("tests", reading, COMMIT, now, timedelta(hours=1)).verdict is Verdict.PASSED


@pytest.mark.parametrize("name", ["surefire-flaky.xml", "surefire-rerun.xml", "gtest-disabled.xml"])
def test_reports_of_real_programs_are_complete(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, (FIXTURES / name).read_bytes()).incomplete == ""


def named(commit: str) -> str:
    return (
        f'<testsuite><properties><property name="commit" value="{commit}"/></properties>{CASES}</testsuite>'
    )


def test_a_property_binds_a_report_whose_path_does_not(tmp_path: Path) -> None:
    reading = read(tmp_path, named(COMMIT), "reports/*/junit.xml")
    assert (reading.commit, reading.bound_by) == (COMMIT, "property")


def test_a_property_of_the_outermost_element_binds_as_well(tmp_path: Path) -> None:
    inner = f'<properties><property name="commit" value="{COMMIT[:12]}"/></properties>'
    reading = read(tmp_path, f"<testsuites>{inner}<testsuite>{CASES}</testsuite></testsuites>", "**/*.xml")
    assert reading.commit == COMMIT[:12]


def test_a_property_of_a_test_case_binds_nothing(tmp_path: Path) -> None:
    inner = f'<properties><property name="commit" value="{COMMIT}"/></properties>'
    reading = read(tmp_path, f"<testsuite><testcase>{inner}</testcase></testsuite>", "**/junit.xml")
    assert reading.commit == ""


def test_a_commit_inside_contradicts_the_path_and_wins(tmp_path: Path) -> None:
    assert read(tmp_path, named(OTHER)).commit == OTHER


def test_an_empty_commit_inside_contradicts_the_path(tmp_path: Path) -> None:
    assert read(tmp_path, named("")).commit not in ("", COMMIT)


def test_a_report_that_names_no_commit_in_path_or_property_names_none(tmp_path: Path) -> None:
    assert read(tmp_path, f"<testsuite>{CASES}</testsuite>", "reports/**/junit.xml").commit == ""


def test_of_several_files_all_are_counted_hashed_and_named_in_order(tmp_path: Path) -> None:
    first = write(tmp_path, f"<testsuite>{CASES}</testsuite>", name="a.xml")
    second = write(tmp_path, "<testsuite><testcase><failure/></testcase></testsuite>", name="b.xml")
    reading = JUnitResults(tmp_path, "reports/{commit}/*.xml").read(COMMIT)
    assert (reading.tests, reading.failures) == (3, 1)
    assert reading.evidence == (f"reports/{COMMIT}/a.xml", f"reports/{COMMIT}/b.xml")
    assert reading.sha256 == hashlib.sha256(first.read_bytes() + second.read_bytes()).hexdigest()


def test_one_unbound_file_among_bound_ones_unbinds_them_all(tmp_path: Path) -> None:
    write(tmp_path, named(COMMIT), name="a.xml")
    write(tmp_path, f"<testsuite>{CASES}</testsuite>", name="b.xml")
    assert JUnitResults(tmp_path, "reports/**/*.xml").read(COMMIT).commit == ""


def test_one_broken_file_among_good_ones_breaks_them_all(tmp_path: Path) -> None:
    write(tmp_path, f"<testsuite>{CASES}</testsuite>", name="a.xml")
    write(tmp_path, "<testsuite>", name="b.xml")
    assert "b.xml" in refusal(JUnitResults(tmp_path, "reports/{commit}/*.xml").read(COMMIT))


def test_two_stars_find_files_at_any_depth_and_in_the_folder_itself(tmp_path: Path) -> None:
    suite = f"<testsuite>{CASES}</testsuite>"
    write(tmp_path, suite)
    write(tmp_path / "reports" / COMMIT / "x" / "y", suite, commit="z")
    write(tmp_path / ".midas" / "releases", suite)
    assert JUnitResults(tmp_path, "**/junit.xml").read(COMMIT).tests == 4


def test_without_a_timestamp_the_age_of_the_file_counts(tmp_path: Path) -> None:
    path = write(tmp_path, f"<testsuite>{CASES}</testsuite>")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    reading = JUnitResults(tmp_path, BY_PATH).read(COMMIT)
    assert reading.measured_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_timestamp_that_is_no_time_leaves_the_time_unknown(tmp_path: Path) -> None:
    assert read(tmp_path, f'<testsuite timestamp="yesterday">{CASES}</testsuite>').measured_at is None


BOMB = (
    '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    '<testsuite><testcase name="&b;"/></testsuite>'
)
OUTSIDE = '<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuite><testcase/></testsuite>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"<testsuite>{CASES}", "no complete XML"),
        ("<testsuite><testcase></testsuite>", "no complete XML"),
        ("<html><body>502 Bad Gateway</body></html>", "its root is <html>"),
        ('{"tests": 3}', "no complete XML"),
        (b"\x00\x01\x02PK\x03\x04", "no complete XML"),
        (b"\xff\xfe\x00", "no complete XML"),
        ("", "is empty"),
        (" \n", "is empty"),
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        (f'<testsuite tests="many">{CASES}</testsuite>', "tests='many'"),
        (f'<testsuite failures="-1">{CASES}</testsuite>', "failures='-1'"),
        (f'<testsuite errors="1.5">{CASES}</testsuite>', "errors='1.5'"),
        ("<testsuite>" * 200 + "</testsuite>" * 200, "nested deeper"),
        ("<testsuite><testcase><testcase/></testcase></testsuite>", "inside a test case"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "junit.xml"),
    ],
)
def test_what_is_no_sound_report_is_refused_with_the_reason(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert said in refusal(read(tmp_path, content))


def test_a_report_beyond_the_size_limit_is_refused(tmp_path: Path) -> None:
    with write(tmp_path, "<testsuite>").open("r+b") as stream:
        stream.truncate(MAX_TOTAL_BYTES + 1)
    assert "too large" in refusal(JUnitResults(tmp_path, BY_PATH).read(COMMIT))


def test_more_files_than_anybody_means_are_refused(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        write(tmp_path, "<testsuite/>", name=f"{number}.xml")
    assert "more than" in refusal(JUnitResults(tmp_path, "reports/{commit}/*.xml").read(COMMIT))


def test_a_folder_in_the_place_of_the_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reports" / COMMIT / "junit.xml").mkdir(parents=True)
    assert "Is a directory" in refusal(JUnitResults(tmp_path, BY_PATH).read(COMMIT))


def test_a_named_pipe_is_refused_at_once_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "reports" / COMMIT).mkdir(parents=True)
    os.mkfifo(tmp_path / "reports" / COMMIT / "junit.xml")
    assert "no regular file" in refusal(JUnitResults(tmp_path, BY_PATH).read(COMMIT))


@pytest.mark.parametrize(
    "template",
    ["../outside.xml", "reports/../../outside.xml", "/etc/passwd", "reports/{commit}/../*.xml", ""],
)
def test_a_path_that_leads_out_of_the_project_is_refused(tmp_path: Path, template: str) -> None:
    (tmp_path / "outside.xml").write_text(f"<testsuite>{CASES}</testsuite>")
    project = tmp_path / "project"
    write(project, f"<testsuite>{CASES}</testsuite>")
    assert refusal(JUnitResults(project, template).read(COMMIT))


@pytest.mark.parametrize("linked", ["file", "folder"])
@pytest.mark.parametrize("template", [BY_PATH, "reports/{commit}/*.xml", "reports/*/junit.xml"])
def test_a_link_out_of_the_project_is_refused(tmp_path: Path, linked: str, template: str) -> None:
    outside = write(tmp_path / "outside", f"<testsuite>{CASES}</testsuite>")
    folder = tmp_path / "project" / "reports"
    folder.mkdir(parents=True)
    if linked == "folder":
        (folder / COMMIT).symlink_to(outside.parent)
    else:
        (folder / COMMIT).mkdir()
        (folder / COMMIT / "junit.xml").symlink_to(outside)
    said = refusal(JUnitResults(tmp_path / "project", template).read(COMMIT))
    assert "leads out of the project" in said


def test_a_link_within_the_project_is_followed(tmp_path: Path) -> None:
    real = write(tmp_path, f"<testsuite>{CASES}</testsuite>", commit="latest")
    (tmp_path / "reports" / COMMIT).symlink_to(real.parent)
    assert JUnitResults(tmp_path, BY_PATH).read(COMMIT).tests == 2


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and a process that permissions apply to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    was = os.geteuid()
    if was == 0:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    os.seteuid(was)
    (folder / "reports").chmod(0o755)
    for path in (folder / "reports").rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "template", [BY_PATH, "reports/{commit}/*.xml", "reports/*/junit.xml", "**/junit.xml"]
)
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_may_not_be_read_is_refused_and_never_left_out(
    unprivileged: Path, template: str, closed: str
) -> None:
    path = write(unprivileged, f"<testsuite>{CASES}</testsuite>")
    (path if closed == "file" else path.parent).chmod(0)
    assert "Permission denied" in refusal(JUnitResults(unprivileged, template).read(COMMIT))


@pytest.mark.parametrize("commit", ["", "v1.0.0", COMMIT[:12], "../" * 13 + "x", "*" * 40])
def test_only_a_full_hash_can_be_asked_for(tmp_path: Path, commit: str) -> None:
    write(tmp_path, f"<testsuite>{CASES}</testsuite>", commit=commit or "x")
    reading = JUnitResults(tmp_path, BY_PATH).read(commit)
    assert reading.failure is not None
    assert reading.failure.code == "missing"


def test_a_folder_named_by_a_short_hash_is_pointed_out_and_not_read(tmp_path: Path) -> None:
    write(tmp_path, f"<testsuite>{CASES}</testsuite>", commit=COMMIT[:7])
    reading = JUnitResults(tmp_path, BY_PATH).read(COMMIT)
    assert reading.failure is not None
    assert reading.failure.code == "missing"
    assert "full hash" in reading.failure.message
