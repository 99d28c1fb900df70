"""Logs with more distinct lines than anything is asked about: the failure is still the failure."""

from __future__ import annotations

from collections.abc import Iterator

from midas_devops.knowledge.diagnose import diagnose_lines

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "joule")
MANY = 10_500


def told_apart(number: int) -> str:
    """A name of letters only, so that no two lines have one shape."""
    return "-".join(WORDS[int(digit)] for digit in str(number))


def warnings(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"WARN [{told_apart(number)}] the cache of {told_apart(number)} could not be warmed up"


def test_a_failure_behind_thousands_of_distinct_warnings_comes_first() -> None:
    lines = [
        *warnings(MANY),
        'FATAL: password authentication failed for user "shop"',
        "Process completed with exit code 1.",
    ]
    found = diagnose_lines(lines)
    assert found.category == "authentication"
    assert found.spans[0].first_line <= MANY + 1 <= found.spans[0].last_line


def test_a_faint_cause_is_found_where_it_stands_right_before_the_failure() -> None:
    lines = [
        *warnings(MANY),
        "the connection string of the ledger is not set",
        "stopping",
        "Process completed with exit code 1.",
        *warnings(200),
    ]
    found = diagnose_lines(lines)
    assert found.spans[0].first_line <= MANY + 1 <= found.spans[0].last_line
    assert found.category == "invalid_configuration"
