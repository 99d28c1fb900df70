"""HTTP checks, a command and the share of errors in a log, on real servers, processes and files."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.verification import ConfiguredVerifier, what_is_wrong
from midas_devops.config import HttpCheck, Verify
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.outcome import VerificationVerdict
from midas_devops.domain.verification_rule import CheckOutcome
from midas_devops.ports.deployer import Release

COMMIT = "c" * 40
RELEASE = Release(run_id="run-1", environment="web", version="v1", commit=COMMIT)
PASSED, FAILED = VerificationVerdict.PASSED, VerificationVerdict.FAILED
INCONCLUSIVE, ERRORED = VerificationVerdict.INCONCLUSIVE, VerificationVerdict.ERRORED
GOOD = json.dumps({"build": {"commit": COMMIT}, "items": [{"name": "x"}], "up": True, "load": 1}).encode()


class Service(ThreadingHTTPServer):
    """Answers what it is told to, in turn; the last answer stays."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: list[tuple[int, bytes]] = [(200, GOOD)]
        self.delay = 0.0
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        answers = self.server.answers
        self.server.asked.append(self.path)
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        time.sleep(self.server.delay)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def look(
    root: Path,
    settings: dict[str, Any],
    url: str = "",
    logs: Callable[[], tuple[ArtifactRef, ...]] = lambda: (),
    *,
    deployed_now: bool = True,
) -> tuple[CheckOutcome, ...]:
    verifier = ConfiguredVerifier(
        "web",
        Verify.model_validate(settings),
        root=root,
        environ={"PATH": "/usr/bin:/bin"},
        artifacts=open_artifacts(".midas/artifacts", root),
        redact=lambda text: text.replace("s3cret-s3cret", "[redacted:test]"),
    )
    return verifier.check(RELEASE, url, logs, lambda _: None, deployed_now=deployed_now)


def http(root: Path, base: str, /, **check: Any) -> CheckOutcome:
    (outcome,) = look(root, {"http": ({"path": "/", "within": "300ms", **check},)}, base)
    return outcome


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"contains": "{commit}"},
        {"matches": r'"commit": "c{40}"'},
        {"json": {"build.commit": "{commit}", "items[0].name": "x", "up": True, "load": 1}},
        {"max_latency": "10s"},
        {"path": "/deep/path", "url": ""},
    ],
)
def test_what_holds_passes(tmp_path: Path, service: Service, check: dict[str, Any]) -> None:
    outcome = http(tmp_path, service.url, **check)
    assert (outcome.verdict, outcome.flapping) == (PASSED, False), outcome.detail
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"status": 204}, "answers 200 instead of 204"),
        ({"contains": "v2"}, "without 'v2'"),
        ({"matches": "^nothing$"}, "nothing matches"),
        ({"json": {"build.version": "v1"}}, "without 'build.version'"),
        ({"json": {"items[1].name": "x"}}, "without 'items[1].name'"),
        ({"json": {"build.commit": "v1"}}, "instead of"),
        ({"json": {"load": True}}, "load = 1 instead of true"),
        ({"json": {"up": "True"}}, "up = true instead of"),
    ],
)
def test_what_does_not_hold_fails_and_says_why(
    tmp_path: Path, service: Service, check: dict[str, Any], said: str
) -> None:
    outcome = http(tmp_path, service.url, **check)
    assert (outcome.verdict, said in outcome.detail) == (FAILED, True), outcome.detail


def test_a_status_other_than_200_may_be_the_right_one_with_its_body(tmp_path: Path, service: Service) -> None:
    service.answers = [(503, b"closed for maintenance")]
    check = {"status": 503, "contains": "maintenance"}
    assert http(tmp_path, service.url, **check).verdict is PASSED
    assert http(tmp_path, service.url, status=503, contains="open").verdict is FAILED


def test_a_slow_answer_is_a_failure_where_latency_counts(tmp_path: Path, service: Service) -> None:
    service.delay = 0.1
    outcome = http(tmp_path, service.url, max_latency="20ms", successes=1)
    assert (outcome.verdict, "at most 0.02 s" in outcome.detail) == (FAILED, True), outcome.detail


def test_a_service_that_answers_well_only_in_turn_flaps(tmp_path: Path, service: Service) -> None:
    service.answers = [(200 if number % 2 else 500, GOOD) for number in range(1000)]
    outcome = http(tmp_path, service.url)
    assert (outcome.verdict, outcome.flapping) == (FAILED, True), outcome.detail


def test_no_json_is_said(tmp_path: Path, service: Service) -> None:
    service.answers = [(200, b"<html>")]
    assert "no JSON" in http(tmp_path, service.url, json={"a": 1}).detail


def test_an_address_that_is_not_known_or_not_found_is_no_failure(tmp_path: Path) -> None:
    assert http(tmp_path, "").verdict is ERRORED
    assert http(tmp_path, "", url="{url}/health").verdict in (INCONCLUSIVE, ERRORED)
    assert http(tmp_path, "ftp://example.test").verdict is INCONCLUSIVE


def test_latency_is_that_of_the_whole_answer() -> None:
    check = HttpCheck.model_validate({"path": "/", "max_latency": "500ms"})
    assert what_is_wrong(check, {}, b"", 0.5) == ""
    assert "0.51 s" in what_is_wrong(check, {}, b"", 0.51)


@pytest.mark.parametrize(("status", "verdict"), [(0, PASSED), (1, FAILED), (77, INCONCLUSIVE), (99, ERRORED)])
def test_a_command_judges_by_its_exit_code(tmp_path: Path, status: int, verdict: VerificationVerdict) -> None:
    code = "import os, sys; print('s3cret-s3cret', sys.argv[1]); sys.exit(int(sys.argv[2]))"
    argv = (sys.executable, "-c", code, "{url}/{commit}", str(status))
    (outcome,) = look(tmp_path, {"command": argv}, "http://web.test/")
    assert outcome.verdict is verdict
    assert f"http://web.test/{COMMIT}" in outcome.detail
    assert "s3cret-s3cret" not in outcome.detail
    assert outcome.log is not None


class Log:
    """A service's log that grows while it is watched: one more part per look."""

    def __init__(self, root: Path, *parts: str) -> None:
        self._artifacts = open_artifacts(".midas/artifacts", root)
        self._parts = list(parts)
        self._text = ""

    def __call__(self) -> tuple[ArtifactRef, ...]:
        self._text += self._parts.pop(0) if self._parts else ""
        if not self._text:
            return ()
        return (self._artifacts.put(self._text.encode(), "service.log", private=True),)


def logged(root: Path, log: Log, *, deployed_now: bool = True, **check: Any) -> CheckOutcome:
    settings = {"logs": {"pattern": "ERROR", "window": "40ms", **check}}
    return look(root, settings, logs=log, deployed_now=deployed_now)[-1]


def test_a_quiet_log_passes_and_a_line_that_matches_fails(tmp_path: Path) -> None:
    assert logged(tmp_path, Log(tmp_path, "ready\n", "served\n")).verdict is PASSED
    outcome = logged(tmp_path, Log(tmp_path, "ready\n", "ERROR s3cret-s3cret is wrong\n"))
    assert (outcome.verdict, "[redacted:test] is wrong" in outcome.detail) == (FAILED, True)


def test_limits_count_lines_or_their_share(tmp_path: Path) -> None:
    text = "ERROR a\n" * 3 + "fine\n" * 7
    assert logged(tmp_path, Log(tmp_path, text), max_lines=3).verdict is PASSED
    assert logged(tmp_path, Log(tmp_path, text), max_lines=2).verdict is FAILED
    assert logged(tmp_path, Log(tmp_path, text), max_share=0.3).verdict is PASSED
    assert logged(tmp_path, Log(tmp_path, text), max_share=0.29).verdict is FAILED
    assert logged(tmp_path, Log(tmp_path, text), max_share=0.5, max_lines=2).verdict is FAILED


def test_looking_again_counts_only_what_is_logged_from_then_on(tmp_path: Path) -> None:
    assert logged(tmp_path, Log(tmp_path, "ERROR old\n", "fine\n"), deployed_now=False).verdict is PASSED
    assert logged(tmp_path, Log(tmp_path, "fine\n", "ERROR new\n"), deployed_now=False).verdict is FAILED


def test_no_log_and_one_that_was_cut_are_in_doubt(tmp_path: Path) -> None:
    assert logged(tmp_path, Log(tmp_path)).verdict is INCONCLUSIVE
    log = Log(tmp_path, "one\n")
    before = log()

    def cut() -> tuple[ArtifactRef, ...]:
        looks.append(1)
        return before if len(looks) == 1 else Log(tmp_path, "two\n")()

    looks: list[int] = []
    settings = {"logs": {"pattern": "ERROR", "window": "10ms"}}
    assert look(tmp_path, settings, logs=cut, deployed_now=False)[-1].verdict is INCONCLUSIVE


def test_a_failed_check_makes_waiting_for_the_log_pointless(tmp_path: Path) -> None:
    settings = {
        "command": (sys.executable, "-c", "raise SystemExit(1)"),
        "logs": {"pattern": "ERROR", "window": "10m"},
    }
    (outcome,) = look(tmp_path, settings, logs=Log(tmp_path, "ready\n"))
    assert outcome.verdict is FAILED
