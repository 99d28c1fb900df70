"""What a person and a script get when something is wrong: never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import psutil
import pytest

from midas_devops.interfaces.cli import failures
from midas_devops.interfaces.cli.session import Session, shared
from tests.cli.conftest import PROGRAM

NO_OPTIONS = {
    "ctx": SimpleNamespace(obj=None),
    "project": None,
    "json": False,
    "quiet": False,
    "no_input": False,
}
BLANKS = [
    ("--digest", " ", "--by", "ana", "--reason", "why"),
    ("--digest", "d", "--by", "", "--reason", "why"),
    ("--digest", "d", "--by", "ana", "--reason", "\t"),
    ("--digest", "d", "--by", "ana", "--reason", "why", "--confirm", " "),
]
MISSING = [
    ("--by", "ana", "--reason", "why"),
    ("--digest", "d", "--reason", "why"),
    ("--digest", "d", "--by", "ana"),
]


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("infra", "bogus"),
        ("deploy",),
        ("deploy", "staging"),
        ("deploy", "staging", "v1", "--bogus"),
        ("deploy", "staging", "v1", "--issue", "many"),
        ("condense", "x.log", "--budget", "0"),
        ("runs", "list", "--limit", "0"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_2_in_words_and_in_json(cli, words):
    said, told = cli(*words), cli(*words, "--json")

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("midas-devops: ")
    assert "--help" in said.err
    assert told.code == 2
    assert told.json["error"]["code"] == "usage"
    assert sorted(told.json["error"]) == ["code", "hint", "location", "message"]


@pytest.mark.parametrize("flags", BLANKS + MISSING, ids=" ".join)
def test_an_approval_without_digest_name_and_reason_is_exit_2(cli, project, flags):
    assert cli("runs", "approve", "run-1", *flags, "--json").json["error"]["code"] == "usage"
    assert cli("runs", "approve", "run-1", *flags).code == 2


@pytest.mark.parametrize("flags", [("--by", "ana"), ("--by", " ", "--reason", "x")], ids=" ".join)
def test_a_rejection_without_name_and_reason_is_exit_2(cli, project, flags):
    assert cli("runs", "reject", "run-1", *flags).code == 2


def test_a_malformed_settings_file_is_named_with_line_and_fix(cli, project):
    (project.root / "midas.toml").write_text("[environments.staging]\naprovals = 1\n")

    result = cli("env", "list", "--json")

    assert result.code == 2
    assert result.json["error"] == {
        "code": "configuration",
        "message": "environments.staging.aprovals is not a key of [environments.staging]",
        "hint": "did you mean environments.staging.approvals?",
        "location": "midas.toml:2: environments.staging.aprovals",
    }


def test_no_settings_file_says_how_to_get_one(cli, tmp_path):
    result = cli("--project", str(tmp_path), "runs", "list")

    assert result.code == 2
    assert "midas-devops init" in result.err


def test_a_project_that_is_no_folder_is_named(cli, tmp_path):
    result = cli("env", "list", "--project", str(tmp_path / "nowhere"), "--json")

    assert result.code == 2
    assert "there is no such folder" in result.json["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [("runs", "show"), ("runs", "report"), ("runs", "resume")],
    ids=" ".join,
)
def test_an_unknown_run_is_exit_2(cli, project, words):
    result = cli(*words, "run-20260101-000000-abcdef", "--json")

    assert result.code == 2
    assert result.json["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "words",
    [("deploy", "stagin", "v1"), ("env", "url", "stagin"), ("report", "stagin", "succeeded", "x")],
    ids=" ".join,
)
def test_an_unknown_environment_is_exit_2_with_a_suggestion(cli, project, words):
    error = cli(*words, "--json").json["error"]

    assert "stagin" in error["message"]
    assert "staging" in error["hint"]


def test_a_version_that_does_not_exist_is_exit_2(cli, project):
    result = cli("deploy", "staging", "v9", "--json")

    assert result.code == 2
    assert "v9" in result.json["error"]["message"]


@pytest.mark.parametrize("command", ["condense", "diagnose"])
@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_log_that_cannot_be_read_is_exit_2(cli, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)

    result = cli(command, name, "--json")

    assert result.code == 2
    assert result.json["error"]["code"] == "unreadable"


def test_a_corrupt_ledger_is_an_error_not_a_traceback(cli, project):
    (project.root / ".midas").mkdir()
    (project.root / ".midas" / "midas.db").write_bytes(b"this is no database\n" * 100)

    result = cli("runs", "list", "--json")

    assert result.code == 1
    assert result.json["error"]["code"] == "storage"


def test_control_characters_of_an_error_never_reach_the_terminal(cli, tmp_path):
    result = cli("env", "list", "--project", f"{tmp_path}/\x1b[31mred\x07")

    assert "\x1b" not in result.err
    assert "red" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "staging", "v{}"),
        ("deploy", "{}", "v1"),
        ("{}",),
        ("runs", "show", "run-{}"),
        ("env", "list", "--project", "{}"),
    ],
    ids=" ".join,
)
def test_an_error_never_repeats_a_secret_of_the_environment(cli, project, monkeypatch, words):
    secret = "correct-horse-battery"
    monkeypatch.setenv("DB_PASSWORD", secret)
    typed = [word.format(secret) for word in words]

    said, told = cli(*typed), cli(*typed, "--json")

    assert said.code == told.code != 0
    assert secret not in said.out + said.err + told.out + told.err
    assert "[redacted:environment]" in said.err
    assert "[redacted:environment]" in json.dumps(told.json["error"])


def test_an_error_never_repeats_the_value_of_a_variable_that_the_settings_name(cli, project, monkeypatch):
    secret = "correct-horse-battery"
    monkeypatch.setenv("OUR_MODEL", secret)
    settings = project.root / "midas.toml"
    settings.write_text(settings.read_text() + '\n[model]\nname = "m"\napi_key_env = "OUR_MODEL"\n')

    result = cli("deploy", "staging", secret)

    assert result.code == 2
    assert secret not in result.out + result.err


def test_an_error_in_a_folder_that_is_gone_is_told_all_the_same(cli, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert cli("deploy", "--json").json["error"]["code"] == "usage"


def test_without_a_working_redactor_an_error_is_told_by_its_code_alone(capsys, monkeypatch):
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("midas_devops.safety.redaction.Redactor.from_environment", broken)

    code = failures.report(failures.StoppedError("the secret", hint="secret"), None, as_json=True)

    told = json.loads(capsys.readouterr().out)["error"]
    assert code == 130
    assert told["code"] == "interrupted"
    assert "secret" not in json.dumps(told)


def test_a_reader_that_goes_away_is_no_error(project, tmp_path):
    with subprocess.Popen(
        [*PROGRAM, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(60)

    assert "Traceback" not in said
    assert "BrokenPipe" not in said


class TestSomethingUnexpected:
    def cause(self) -> ValueError:
        with pytest.raises(ValueError, match="could not convert") as caught:
            float("hunter2-hunter2")
        return caught.value

    def test_it_is_one_line_and_a_private_file_without_secrets(self, project, capsys, monkeypatch):
        monkeypatch.setenv("DB_PASSWORD", "hunter2-hunter2")

        code = failures.unexpected(self.cause(), project.root, as_json=True)

        said = json.loads(capsys.readouterr().out)["error"]
        file = Path(said["location"])
        assert code == 1
        assert file.parent == project.root / ".midas"
        assert file.stat().st_mode & 0o777 == 0o600
        assert "ValueError" in file.read_text()
        assert "hunter2" not in file.read_text() + said["message"]

    def test_outside_of_a_project_nothing_is_left_in_the_folder(self, tmp_path, capsys):
        failures.unexpected(self.cause(), tmp_path, as_json=True)

        file = Path(json.loads(capsys.readouterr().out)["error"]["location"])
        assert list(tmp_path.iterdir()) == []
        file.unlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_deployment_that_is_stopped_ends_in_order_and_leaves_nothing_behind(project, number):
    settings = project.root / "midas.toml"
    begun = project.root / "build-begun"
    body = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(120)"
    waits = json.dumps([sys.executable, "-c", body])
    settings.write_text(settings.read_text().replace("start =", f"build = {waits}\nstart =", 1))
    project.release("v2")

    with subprocess.Popen(
        [*PROGRAM, "deploy", "staging", "v2"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stderr is not None
        until(begun.exists)
        process.send_signal(number)
        said = process.stderr.read()
        process.wait(60)

    assert process.returncode == 1
    assert "Traceback" not in said
    assert "cancelled" in said
    assert builds(project.root) == []


INTERRUPTED_WHILE_LOADING = """
import signal, sys
from importlib.abc import MetaPathFinder
from midas_devops.__main__ import main

class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["--version"]
main()
"""
# Only where there was an agent is there anything that Python takes down.
WITH_AN_AGENT = "import midas_devops.agent\nmain()\n"
INTERRUPTED_AT_THE_END = INTERRUPTED_WHILE_LOADING.replace(
    "signal.raise_signal(signal.SIGINT)", "import atexit; atexit.register(signal.raise_signal, signal.SIGINT)"
).replace("main()\n", WITH_AN_AGENT)
INTERRUPTED_AFTER_THE_END = """
import atexit, signal, sys
from midas_devops.__main__ import main

atexit.register(signal.raise_signal, signal.SIGINT)
sys.argv[1:] = ["--version"]
import midas_devops.agent
main()
"""
INTERRUPTED_IN_A_LIBRARY = """
import signal, sys
from midas_devops.interfaces.cli import main as program
from midas_devops.__main__ import main

def interrupted(*_, **__):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as stopped:
        raise ValueError("cannot build") from stopped

program._version.__globals__["print_json"] = interrupted
sys.argv[1:] = ["--json", "--version"]
main()
"""
INTERRUPTED_TWICE = """
import signal, sys
from midas_devops.interfaces.cli import failures, main as program
from midas_devops.__main__ import main

def interrupted(*_, **__):
    signal.raise_signal(signal.SIGINT)

program._version.__globals__["print_json"] = interrupted
failures.report = interrupted
sys.argv[1:] = ["--json", "--version"]
main()
"""


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (INTERRUPTED_WHILE_LOADING, -signal.SIGINT),
        (INTERRUPTED_AT_THE_END, 130),
        (INTERRUPTED_AFTER_THE_END, 0),
        (INTERRUPTED_IN_A_LIBRARY, 130),
        (INTERRUPTED_TWICE, 130),
    ],
    ids=["loading", "ending", "after the end", "in a library", "while the first is reported"],
)
def test_a_ctrl_c_at_any_moment_ends_the_program_without_a_traceback(program, code):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == code
    assert done.stderr == ""


def test_a_ctrl_c_that_a_library_only_mentions_is_one():
    said = 'Error building "literal" validator:\n  SchemaError: KeyboardInterrupt: '

    assert failures.is_interruption(ValueError(said))
    assert not failures.is_interruption(ValueError("no such validator"))


def test_a_program_that_is_to_ignore_ctrl_c_goes_on_ignoring_it():
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{INTERRUPTED_WHILE_LOADING}"

    done = subprocess.run(
        [sys.executable, "-c", ignoring], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("midas-devops ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_the_signal_that_ended_it_is_named(cli, project, monkeypatch, number):
    def told(*_: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("midas_devops.interfaces.cli.session.Session.settings", property(told))

    result = cli("env", "list", "--json")

    assert result.code == 130
    assert f"stopped by {number.name};" in result.json["error"]["message"]


def builds(folder: Path) -> list[int]:
    """Builds of this project that are at work."""
    return [
        process.pid
        for process in psutil.process_iter(["cwd", "cmdline"])
        if (process.info["cwd"] or "").startswith(str(folder))
        and "time.sleep(120)" in " ".join(process.info["cmdline"] or ())
    ]


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.05)


@shared
def stopped_early(session: Session) -> None:
    raise KeyboardInterrupt


@shared
def stopped_in_a_run(session: Session) -> None:
    session.run_ids.append("run-20260131-142509-3f9a1c")
    raise KeyboardInterrupt("SIGTERM")


class TestStoppedByAPerson:
    def test_nothing_begun_is_said_so(self, project):
        with pytest.raises(failures.StoppedError, match="nothing was begun") as caught:
            stopped_early(**NO_OPTIONS)

        assert caught.value.exit_code == 130

    def test_a_run_is_named_with_the_command_that_continues_it(self, project):
        with pytest.raises(failures.StoppedError, match="stopped by SIGTERM") as caught:
            stopped_in_a_run(**NO_OPTIONS)

        assert caught.value.exit_code == 130
        assert caught.value.hint == "continue it with 'midas-devops runs resume run-20260131-142509-3f9a1c'"
