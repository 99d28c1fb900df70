"""What is cut before it is redacted must not hold half of a secret."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.config import Settings
from midas_devops.domain.excerpt import excerpt
from midas_devops.safety.redaction import Redactor

WORDS = st.text(alphabet=string.ascii_letters + string.digits + " ,:/@-_=", max_size=120)


@given(text=WORDS, most=st.integers(1, 100))
def test_it_is_a_beginning_of_whole_words(text: str, most: int) -> None:
    cut = excerpt(text, most)
    if len(text) <= most:
        assert cut == text
        return
    assert cut.endswith("…")
    head = cut[:-1]
    assert len(head) <= most
    assert text.startswith(head)
    rest = text[len(head) :]
    assert not head or not (head[-1].isalnum() and rest[0].isalnum())


@given(before=st.integers(0, 60))
def test_the_password_of_an_address_is_whole_or_not_there(before: int) -> None:
    text = "x" * before + " cannot connect to postgres://app:Sup3rSecret99@db/orders now"
    shown = Redactor.from_environment({}, Settings()).text(excerpt(text, 60))
    assert "Sup3r" not in shown


@pytest.mark.parametrize("password", ["a(Zq)9;kX|w#51", "x<7>{Kd}[93];f!", "Ab1;Server|(db)"])
def test_no_character_that_passwords_are_made_of_ends_a_word(password: str) -> None:
    text = f"cannot log in with {password} here"
    begin = text.index(password)
    for most in range(begin, begin + len(password)):
        assert excerpt(text, most) == "cannot log in with…"


def test_a_word_that_ends_where_it_is_cut_is_kept() -> None:
    assert excerpt("one two three", 7) == "one two…"
    assert excerpt("one two three", 8) == "one two…"
    assert excerpt("one two three", 6) == "one…"
    assert excerpt("onetwothree", 6) == "…"


def test_a_private_key_that_is_cut_is_hidden_to_its_last_line() -> None:
    body = "MIIEowIBAAKCAQEA" + "Ab3" * 16
    key = "\n".join(["see", "-----BEGIN RSA PRIVATE KEY-----", *[body] * 9, "-----END RSA PRIVATE KEY-----"])
    for most in range(40, len(key)):
        assert "Ab3" not in Redactor().text(excerpt(key, most))
