"""A screen may let too much through, and never too little."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from benchmarks.labelled_logs.load import short_logs
from midas_devops.context.rulebook import rules
from midas_devops.context.screen import Screen, widened
from midas_devops.context.signal_patterns import CAPS, CAUSES, NOISE, WRAPPERS
from midas_devops.context.signals import clean
from midas_devops.knowledge.catalogue import load_catalogue
from midas_devops.knowledge.structure.compilers import COMPILER_SHAPES, COMPILER_WRAPPERS
from midas_devops.knowledge.structure.lines import FIRST_LOOK, first_look
from midas_devops.knowledge.structure.linters import LINTER_SHAPES
from midas_devops.knowledge.structure.runners import CHECKSUM_SHAPES, RUNNER_SHAPES, WRAPPER_SHAPES

ENTRIES = load_catalogue().entries
SHAPES = (
    *COMPILER_SHAPES, *COMPILER_WRAPPERS, *LINTER_SHAPES, *RUNNER_SHAPES, *CHECKSUM_SHAPES, *WRAPPER_SHAPES,
)  # fmt: skip
TABLES = {
    "wrappers": [rule.source for rule in rules(WRAPPERS)],
    "noise": [rule.source for rule in rules(NOISE)],
    "causes": [rule.source for rule in rules(CAUSES)],
    "caps": [rule.source for rule in rules(CAPS)],
    "catalogue": [entry.pattern for entry in ENTRIES],
    "shapes": [pattern for shape in SHAPES for pattern in shape.pattern.patterns],
}
SCENARIOS = Path(__file__).parents[1] / "fixtures" / "diagnose"


def raw_lines() -> list[bytes]:
    """Lines of many tools, each once."""
    logs = chain((log.raw for log in short_logs()), (one.read_bytes() for one in SCENARIOS.glob("*/log.txt")))
    told = (text for entry in ENTRIES for text in (*entry.examples, *entry.near_misses))
    return sorted({*(line for log in logs for line in log.split(b"\n")), *(text.encode() for text in told)})


@pytest.mark.parametrize("table", TABLES)
def test_no_line_that_a_pattern_matches_is_screened_out(table: str) -> None:
    lines = {clean(line.decode("utf-8", "replace")) for line in raw_lines()}
    pattern = re.compile("|".join(f"(?:{one})" for one in TABLES[table] if not one.startswith("(?i)")))
    screen = Screen(TABLES[table], unscreened=0)
    assert [line for line in lines if not screen.passes(line) and pattern.search(line)] == []


@pytest.mark.parametrize("table", [name for name in TABLES if name != "caps"])
def test_most_lines_are_screened_out(table: str) -> None:
    screen = Screen(TABLES[table], unscreened=0)
    lines = [f"step {number}: order {number * 7} of {number} packed by hand" for number in range(50)]
    assert not any(screen.passes(line) for line in lines)


def test_the_first_look_is_what_its_pattern_says() -> None:
    assert [line for line in raw_lines() if first_look(line) != bool(FIRST_LOOK.search(line))] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^code (?!0\b)\d+$", "code 12"),
        (r"(?<![\w.])fail(?:ed|s)\b", "it fails"),
        (r"took .{0,80}?\d{1,3} s", "took " + "a" * 79 + "12 s"),
        (r"[^\s:]+\.\w{2,4}:\d+", "größe.py:12"),
        (r"(?i:\berror\b)[\s\[]+x", "ERROR [ x"),
        (r"(?P<name>\w+) \{ 3", "block { 3"),
        (r"a{2}b{,3}c{1,}", "aac" + "c" * 9),
        (r"\w+ failed", "überprüfung failed"),
        (r"^fatal: ", "fatal: \udc80"),
        (r"(?i:fail)", "FA\u0131L"),
        (r"^done$", "done\n"),
        (r"a\W+b|a[\W\d]{2}b", "a\u0301\u200db"),
        (r"map{}int", "map{}int"),
    ],
)
def test_what_the_other_engine_lacks_is_made_wider(pattern: str, text: str) -> None:
    assert re.search(pattern, text)
    assert Screen([pattern], unscreened=0).passes(text)


def test_the_first_lines_are_let_through_unscreened() -> None:
    screen = Screen(["x"], unscreened=2)
    assert [screen.passes("y") for _ in range(4)] == [True, True, False, False]


def test_a_pattern_that_cannot_be_made_wider_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        widened(r"(a)(?(1)b|c)")
