"""The judgement of single lines."""

from __future__ import annotations

import pytest

from midas_devops.context.signals import CAUSE, ERROR, HINT, bare, clean, signal_of, suspicious

CAUSES = [
    ("src/a.c:12:5: error: expected ';' before '}' token", "compiler"),
    ("./main.go:12:3: undefined: roundHalfEven", "compiler"),
    ("error[E0502]: cannot borrow `queue` as mutable", "compiler"),
    ("src/client.ts(42,17): error TS2345: Argument of type 'string'", "compiler"),
    ("\x1b[31m│\x1b[0m \x1b[1mError: \x1b[0mReference to undeclared resource", "terraform"),
    ('{"@level":"error","@message":"Error: creating RDS","type":"diagnostic"}', "terraform"),
    ("2026-03-04T10:11:12.1234567Z E       assert 1000 == 900", "assertion"),
    ("FAILED tests/test_cart.py::test_total - assert 1 == 2", "test"),
    ("--- FAIL: TestReserve (0.01s)", "test"),
    ("Caused by: org.postgresql.util.PSQLException: the connection attempt was lost", "exception"),
    ("torch.OutOfMemoryError: CUDA out of memory.", "oom"),
    ("java.io.IOException: No space left on device", "disk"),
    ("fatal: not a git repository (or any of the parent directories): .git", "git"),
    ("CONFLICT (content): Merge conflict in src/price.py", "git"),
    ("curl: (6) Could not resolve host: artifacts.example", "network"),
    ("Error response from daemon: manifest for python:3.99 not found", "docker"),
    ("deploy@host: Permission denied (publickey).", "auth"),
    ("API rate limit exceeded for user ID 1.", "quota"),
    ("npm error code ERESOLVE", "dependency"),
    ("ModuleNotFoundError: No module named 'django'", "dependency"),
    ("  Warning  Failed  3m (x4 over 5m)  kubelet  Error: ImagePullBackOff", "kubernetes"),
    ("Command took >30min, returning 124", "timeout"),
    ("##[error]The operation was canceled.", "cancelled"),
    ("/app/run.sh: line 41: kubectl: command not found", "shell"),
]

CONSEQUENCES = [
    "##[error]Process completed with exit code 1.",
    "##[error]The process '/usr/bin/git' failed with exit code 128",
    "make: *** [Makefile:12: all] Error 2",
    "make[2]: *** [CMakeFiles/x.dir/build.make:76: x.o] Error 1",
    "npm ERR! code ELIFECYCLE",
    "npm error Lifecycle script `lint` failed with error:",
    "error Command failed with exit code 1.",
    "[INFO] BUILD FAILURE",
    "ERROR: script returned exit code 1",
    "Finished: FAILURE",
    "RuntimeError: test_cuda 1/1 failed!",
    "subprocess.CalledProcessError: Command '['git']' returned non-zero exit status 1.",
    "collect2: error: ld returned 1 exit status",
    "ninja: build stopped: subcommand failed.",
    'error: could not compile `worker` (bin "worker") due to 1 previous error',
    "[ERROR] Failed to execute goal org.apache.maven.plugins:surefire:3:test: There are test failures.",
    "Got exit code 1",
]

HARMLESS = [
    "found 0 errors, 0 warnings",
    "[INFO] Tests run: 12, Failures: 0, Errors: 0, Skipped: 1",
    "[ 12%] Building CXX object src/error_handler.cpp.o",
    "tests/test_errors.py::test_raises_error PASSED [ 12%]",
    "   Compiling thiserror v1.0.50",
    "--- PASS: TestReturnsError (0.00s)",
    "  if-no-files-found: error",
    "ok  \tgithub.com/acme/errors\t0.011s",
    '2026-03-04T10:11:12Z \x1b[36;1mif [ $? -ne 0 ]; then echo "error: failed"; exit 1; fi\x1b[0m',
    "##[group]Run ./fail-fast.sh",
    "===================================",
    "",
]


@pytest.mark.parametrize(("line", "kind"), CAUSES, ids=[kind + str(i) for i, (_, kind) in enumerate(CAUSES)])
def test_a_cause_is_recognised_by_its_form(line: str, kind: str) -> None:
    found = signal_of(line)
    assert (found.strength, found.kind, found.is_wrapper) == (CAUSE, kind, False)
    assert suspicious(line.encode())


@pytest.mark.parametrize("line", CONSEQUENCES)
def test_a_consequence_is_never_a_cause(line: str) -> None:
    found = signal_of(line)
    assert found.is_wrapper
    assert found.strength < ERROR
    assert suspicious(line.encode())


@pytest.mark.parametrize("line", HARMLESS)
def test_words_of_failure_alone_mean_nothing(line: str) -> None:
    assert signal_of(line).strength == 0


@pytest.mark.parametrize(
    "line",
    [
        "WARN  [cart] could not reach the cache, falling back",
        "##[warning]Failed to download action. Error: The request was canceled",
        "INFO  request failed over to replica 2",
        "npm warn deprecated abort-controller@3: no longer supported",
        "    raise ValueError('error in configuration')",
        "+ echo error: nothing to do",
    ],
)
def test_warnings_source_code_and_echoed_commands_stay_below_an_error(line: str) -> None:
    assert signal_of(line).strength <= HINT


def test_a_retry_is_weaker_than_giving_up() -> None:
    retried = signal_of("error: connection refused by db-1, retrying in 5 seconds")
    given_up = signal_of("error: connection refused by db-1, giving up after 3 attempts")
    assert retried.strength < given_up.strength


def test_numbers_decide() -> None:
    assert signal_of("Tests run: 5, Failures: 0, Errors: 0").strength == 0
    assert signal_of("Tests run: 5, Failures: 2, Errors: 0").strength >= ERROR
    assert signal_of("container exited with code 137").kind == "oom"
    assert signal_of("container exited with code 1").is_wrapper


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\ufeff2026-07-30T10:33:37.0347135Z Current runner", "Current runner"),
        ("[2026-07-30T10:33:37.034Z] + make test", "+ make test"),
        ("Jul 30 10:33:37 web-1 sshd[12]: closed", "web-1 sshd[12]: closed"),
        ("build\tRun tests\t2026-07-30T10:33:37.0347135Z E   assert 1 == 2", "E   assert 1 == 2"),
        ("\x1b[1m\x1b[38;5;9merror\x1b[0m: \x1b[4mx\x1b[0m", "error: x"),
        (" 10%\r 50%\r100% done\r", "100% done"),
        ("a\x00b", "ab"),
    ],
)
def test_a_line_is_shown_without_colours_stamps_and_past_progress(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize(
    ("raw", "mark", "text"),
    [
        ("2026-07-30T10:33:37.0347135Z ##[error]Denied", "error", "Denied"),
        ("::error file=a.py,line=3::broken", "error", "broken"),
        (
            "E0730 10:33:37.034567   12345 pod_workers.go:191] sync failed",
            "error",
            "pod_workers.go:191] sync failed",
        ),
        ("#12 3.401 E: Unable to locate package", "", "E: Unable to locate package"),
        ("plain", "", "plain"),
    ],
)
def test_a_platforms_mark_is_told_from_the_text(raw: str, mark: str, text: str) -> None:
    assert bare(raw) == (mark, text)
