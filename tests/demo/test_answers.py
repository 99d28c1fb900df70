"""Who answers for the demo, and what happens when a command does not do what it should."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from midas_devops.interfaces.demo.answers import OPERATOR, Operator, Person
from midas_devops.interfaces.demo.project import create_project
from midas_devops.interfaces.demo.screen import Screen
from midas_devops.interfaces.demo.shell import DemoFailedError, Shell


def test_without_a_terminal_a_demo_operator_answers_under_a_name_that_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = Operator(Screen()).answer("approve", "four new resources")
    assert (answer.decision, answer.by, answer.reason) == ("approve", OPERATOR, "four new resources")
    assert "demo operator (no terminal)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "suggested", "decision"),
    [
        ("Ana\n\n", "approve", "approve"),
        ("Ana\nreject\n", "approve", "reject"),
        ("Ana\n\n", "reject", "reject"),
    ],
)
def test_at_a_terminal_the_person_decides_and_enter_takes_the_suggestion(
    monkeypatch: pytest.MonkeyPatch, typed: str, suggested: str, decision: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    answer = Person(Screen()).answer(suggested, "because")  # type: ignore[arg-type]
    assert (answer.decision, answer.by) == (decision, "Ana")


def test_a_person_is_asked_for_a_name_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Ana\n\n\n"))
    person = Person(Screen())
    assert [person.answer("approve", "so").by for _ in range(2)] == ["Ana", "Ana"]


def test_a_command_that_ends_otherwise_than_expected_fails_the_demo_and_says_how(tmp_path: Path) -> None:
    shell = Shell(create_project(tmp_path / "demo"), Screen())
    with pytest.raises(DemoFailedError, match=r"exit code 2, and 0 was expected.*no-such-run"):
        shell.devops("runs", "show", "no-such-run", expect=(0,))


def test_the_live_output_of_a_tool_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(create_project(tmp_path / "demo"), Screen())
    shell.tool("compileall", "-f", "app.py", folder=shell.project.folder)
    shown = capsys.readouterr().out
    assert "$ python -m compileall -f app.py" in shown
    assert "│ Compiling 'app.py'" in shown
