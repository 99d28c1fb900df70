from __future__ import annotations

import pytest

from midas_devops.domain.counting import number


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [
        (0, "passage", "0 passages"),
        (1, "passage", "1 passage"),
        (2, "old release", "2 old releases"),
        (1, "entry", "1 entry"),
        (3, "entry", "3 entries"),
        (2, "day", "2 days"),
        (2, "process", "2 processes"),
        (2, "branch", "2 branches"),
    ],
)
def test_a_number_has_the_right_noun(count: int, noun: str, told: str) -> None:
    assert number(count, noun) == told
