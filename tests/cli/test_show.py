"""A run as a person reads it at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from midas_devops.interfaces import wording
from midas_devops.interfaces.cli.show import summary
from tests.html.runs import ROLLED_BACK, WAITING

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_rolled_back_release_says_what_why_and_what_now(capsys):
    summary(ROLLED_BACK, report="report.html")

    said = capsys.readouterr().out
    for expected in (
        "↺ failed, and rolled back to the last verified version  ·  release v1.1.0 → staging",
        "  run        run-20261122-181957-3f9a1c  20 s",
        "v1.0.0 (a1b2c3d4e5) → v1.1.0 (ffeeddccbb): 2 commits, 3 files",
        "✔ tests     passed: 42 passed, none failed",
        "? security  inconclusive: the newest report is 31 h old",
        "health check failed (93% sure): The service answers 500",
        "│ artifact:ab12ab12ab12…:121  KeyError: 'PRICE_LIST'",
        "│ app.py:41      prices",
        "1. Set PRICE_LIST for staging.",
        "rollback to v1.0.0, done: v1.0.0 is the last verified version",
        "passed: healthy after 2 attempts",
        "  report     report.html",
        "  details    midas-devops runs show run-20261122-181957-3f9a1c",
    ):
        assert expected in said


def test_a_waiting_run_shows_what_goes_and_commands_on_one_line_each(capsys):
    summary({**WAITING, "pending": {**WAITING["pending"], "confirm_word": "production"}}, project="my folder")

    lines = capsys.readouterr().out.splitlines()
    start = "midas-devops --project 'my folder' runs"
    approve = f"{start} approve {WAITING['run_id']} --digest {'9f2c' * 16} --by NAME --reason TEXT"
    assert f"  approve    {approve} --confirm production" in lines
    assert f"  reject     {start} reject {WAITING['run_id']} --by NAME --reason TEXT" in lines
    assert any(line.split() == ["lets", "go", "aws_db_instance.orders"] for line in lines)


def test_a_release_shows_what_will_happen_in_order_and_what_to_beware_of(capsys):
    release = {**ROLLED_BACK["plan"]["release"], "effects": [f"do {n}\x1b[2J" for n in range(1, 16)]}
    summary(
        {**ROLLED_BACK, "plan": {**ROLLED_BACK["plan"], "release": {**release, "warnings": ["no way back"]}}}
    )

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    first = lines.index("steps 1. do 1")
    assert lines[first - 1] == "beware no way back"
    assert lines[first + 11 : first + 13] == ["12. do 12", "… and 3 more"]
    assert not [line for line in lines if "do 13" in line]


def test_an_interrupted_run_names_its_effects_and_how_to_go_on(capsys):
    effects = [
        {"key": "a", "what": "deploy v1", "state": "done"},
        {"key": "b", "what": "comment on #4", "state": "in_doubt"},
    ]
    summary({**WAITING, "status": "interrupted", "pending": None, "effects": effects})

    said = capsys.readouterr().out
    assert "done: deploy v1" in said
    assert "in doubt: comment on #4" in said
    assert "midas-devops runs resume run-20261122-181957-3f9a1c" in said


def test_who_is_asked_reads_every_step(capsys):
    effects = [f"do {n}" for n in range(1, 16)]
    asked = {
        **ROLLED_BACK,
        "pending": {"question": "Go on?", "digest": "ab", "effects": ["undo 1", "undo 2"]},
    }
    release = {**asked["plan"]["release"], "effects": effects}
    summary({**asked, "plan": {**asked["plan"], "release": release}})

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "15. do 15" in lines
    assert lines[lines.index("rollback 1. undo 1") + 1] == "2. undo 2"


def test_a_version_that_is_a_hash_is_said_once():
    release = {
        **ROLLED_BACK["plan"]["release"],
        "from_version": ROLLED_BACK["plan"]["release"]["from_commit"][:7],
    }
    assert wording.release_line(release).startswith("(a1b2c3d4e5) → v1.1.0 (ffeeddccbb):")


def test_an_inconclusive_diagnosis_is_said_plainly(capsys):
    diagnosis = {"verdict": "inconclusive", "category": "unknown", "summary": "no log was left"}
    summary({**ROLLED_BACK, "diagnosis": diagnosis})

    assert "inconclusive: no log was left" in capsys.readouterr().out


def test_long_lists_are_counted_not_printed(capsys):
    addresses = [f"aws_instance.a{number}" for number in range(60)]
    pending = {**WAITING["pending"], "addresses": addresses[:50], "addresses_total": 60}
    summary({**WAITING, "plan": {**WAITING["plan"], "protected": addresses}, "pending": pending})

    summary({**WAITING, "plan": {**WAITING["plan"], "protected": addresses}, "pending": None})

    said = capsys.readouterr().out
    assert "… and 48 more" in said
    assert "… 60 addresses in all" in said
    assert "aws_instance.a30" not in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (356400, "4 d 3 h"),
    ],
)
def test_lengths_of_time_are_short(seconds, words):
    assert wording.span(seconds) == words


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOW - timedelta(seconds=1), "just now"), (NOW - timedelta(minutes=3), "3 min ago"), (None, "")],
)
def test_times_are_told_from_now(at, words):
    assert wording.ago(at.isoformat() if at else None, NOW) == words


@pytest.mark.parametrize(
    ("hostile", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("a\u202eb\u2066c", "abc"),
        ("bell\x07 back\x08space\r", "bell backspace"),
        ("line\nbreak", "line\nbreak"),
        ("tab\there", "tab    here"),
    ],
)
def test_text_from_outside_loses_what_a_terminal_would_obey(hostile, plain):
    assert wording.plain(hostile) == plain


def test_words_are_quoted_as_a_shell_takes_them():
    assert wording.quoted("a b; rm -rf /") == "'a b; rm -rf /'"
