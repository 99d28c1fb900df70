"""A program that judges a commit: its exit code is the verdict, its output the evidence."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.verdict_command import CommandChecks
from midas_devops.domain.check_rules import judge_checks
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.errors import ConfigError
from midas_devops.ports.results import CheckReading
from midas_devops.testing.results import (
    COMMIT,
    CheckResultsConformance,
    PublishedChecks,
)

SECRET = "s3cret-s3cret-s3cret"


def command(root: Path, *run: str, within: float = 20) -> CommandChecks:
    return CommandChecks(
        run,
        environment="web",
        within=timedelta(seconds=within),
        root=root,
        environ={"PATH": "/usr/bin:/bin"},
        artifacts=open_artifacts(".midas/artifacts", root),
        redact=lambda text: text.replace(SECRET, "[redacted:test]"),
    )


def python(root: Path, code: str, *arguments: str, within: float = 20) -> CommandChecks:
    return command(root, sys.executable, "-c", code, *arguments, within=within)


def judged(reading: CheckReading) -> GateResult:
    return judge_checks("smoke", reading, COMMIT, datetime.now(UTC))


class TestCommandGate(CheckResultsConformance):
    __test__ = True
    knows_other_commits = False

    def publish(self, tmp_path: Path, published: PublishedChecks | None) -> CommandChecks:
        code = {"passed": 0, "inconclusive": 77, "errored": 99, "failed": 1, "skipped": 77}
        states = [code[state] for state in published.states.values()] if published else [77]
        return python(tmp_path, f"raise SystemExit({max(states, key=lambda c: (c != 0, c))})")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0, Verdict.PASSED),
        (1, Verdict.FAILED),
        (2, Verdict.FAILED),
        (77, Verdict.INCONCLUSIVE),
        (99, Verdict.ERRORED),
    ],
)
def test_the_exit_code_is_the_verdict_and_the_last_line_the_reason(
    tmp_path: Path, status: int, verdict: Verdict
) -> None:
    result = judged(python(tmp_path, f"print('looked'); raise SystemExit({status})").read(COMMIT))
    assert (result.verdict, "looked" in result.reason) == (verdict, True)
    assert result.commit == COMMIT
    assert result.measured_at is not None


def test_the_commit_comes_by_argv_and_by_the_environment(tmp_path: Path) -> None:
    code = (
        "import os, sys;"
        "sys.exit(sys.argv[1:] != [os.environ['MIDAS_COMMIT'], os.environ['MIDAS_ENVIRONMENT']])"
    )
    result = judged(python(tmp_path, code, "{commit}", "{environment}").read(COMMIT))
    assert result.verdict is Verdict.PASSED, result.reason


def test_no_shell_reads_the_words(tmp_path: Path) -> None:
    code = "import sys; sys.exit(sys.argv[1] != '$(touch made); *')"
    assert judged(python(tmp_path, code, "$(touch made); *").read(COMMIT)).verdict is Verdict.PASSED
    assert not (tmp_path / "made").exists()


def test_output_is_kept_private_and_quoted_redacted(tmp_path: Path) -> None:
    reading = python(tmp_path, f"print('token {SECRET}'); raise SystemExit(1)", SECRET).read(COMMIT)
    assert SECRET not in reading.model_dump_json()
    kept = next(line for line in reading.evidence if line.startswith("artifact:"))
    found = open_artifacts(".midas/artifacts", tmp_path).find(kept.removeprefix("artifact:"))
    assert found is not None
    assert found.private


def test_what_takes_too_long_is_ended_and_errored(tmp_path: Path) -> None:
    result = judged(python(tmp_path, "import time; time.sleep(600)", within=0.2).read(COMMIT))
    assert (result.verdict, "not done within" in result.reason) == (Verdict.ERRORED, True)


def test_what_cannot_be_started_or_is_killed_is_errored(tmp_path: Path) -> None:
    assert judged(command(tmp_path, "./no-such-gate").read(COMMIT)).verdict is Verdict.ERRORED
    killed = python(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)").read(COMMIT)
    assert judged(killed).verdict is Verdict.ERRORED


def test_an_unknown_placeholder_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing fills"):
        command(tmp_path, "./gate.sh", "{branch}")


def test_the_same_verdict_has_the_same_hash_whatever_was_printed(tmp_path: Path) -> None:
    gate = python(tmp_path, "import time; print(time.time_ns())")
    assert gate.read(COMMIT).sha256 == gate.read(COMMIT).sha256
