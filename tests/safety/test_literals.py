"""Many texts are looked for at once, and none is missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from midas_devops.safety.literals import Literals

_LETTERS = st.text("abA_=-é\n", max_size=6)


@given(st.lists(_LETTERS, max_size=8), st.text("abA_=-é\n", max_size=40))
def test_it_finds_what_a_search_for_each_finds(literals: list[str], text: str) -> None:
    assert Literals(literals).present(text) == {one for one in literals if one in text}


def test_one_that_another_overlaps_is_found_too() -> None:
    assert Literals(["token_a", "en_ab", "a_b"]).present("token_ab") == {"token_a", "en_ab"}
