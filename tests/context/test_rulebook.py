"""Splitting patterns changes how fast they are, never what they match."""

from __future__ import annotations

import re

import pytest

from midas_devops.context.rulebook import alternatives, required_literal, rules
from midas_devops.context.signal_patterns import CAPS, CAUSES, NOISE, WRAPPERS


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("abc", "abc"),
        (r"ab?cde", "cde"),
        (r"x(?:one|two)y", "x"),
        (r"[abc]tail\.", "tail."),
        (r"^Err: \S+ failed", " failed"),
        (r"colou*r", "colo"),
        (r"a{2,3}bcd", "bcd"),
        (r"\bword\b", "word"),
        ("a|b", ""),
    ],
)
def test_the_literal_is_in_every_match(pattern: str, literal: str) -> None:
    assert required_literal(pattern) == literal


def test_alternatives_open_groups_that_hide_the_literal() -> None:
    assert alternatives(r"(?i:one(?:more)?|(?:left|right)s)") == [
        "(?i:one(?:more)?)",
        "(?i:(?:left|right)s)",
    ] or all(required_literal(part) for part in alternatives(r"(?i:one(?:more)?|(?:left|right)s)"))


@pytest.mark.parametrize(
    "table", [WRAPPERS, NOISE, CAUSES, CAPS], ids=["wrappers", "noise", "causes", "caps"]
)
def test_every_rule_compiles_and_does_not_match_everything(table: str) -> None:
    for rule in rules(table):
        assert not rule.search("the quick brown fox"), rule.source


@pytest.mark.parametrize(
    "table", [WRAPPERS, NOISE, CAUSES, CAPS], ids=["wrappers", "noise", "causes", "caps"]
)
def test_the_parts_of_a_pattern_match_what_the_whole_does(table: str) -> None:
    texts = [
        'error: could not compile `worker` (bin "worker") due to 1 previous error',
        "process exited with status: 3",
        "0 errors and no warnings",
        "Permission denied (publickey).",
        "main.go:12:3: undefined: x",
        "WARN retrying, attempt 2 of 3",
        "tests/test_a.py::test_b FAILED",
        "HTTP/1.1 503 Service Unavailable",
    ]
    whole: dict[str, list[str]] = {}
    for row in table.splitlines():
        if row.startswith(" "):
            key = list(whole)[-1]
            whole[key][-1] += row.lstrip(" ")
        elif row:
            label, _, pattern = row.partition(" ")
            whole.setdefault(label, []).append(pattern)
    split = rules(table)
    for text in texts:
        for label, patterns in whole.items():
            expected = any(re.search(pattern, text) for pattern in patterns)
            found = any(
                rule.literal in text.lower() and rule.search(text) for rule in split if rule.label == label
            )
            assert found == expected, (label, text)
