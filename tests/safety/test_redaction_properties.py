"""Both ways: a known secret never survives, and what is none is never touched."""

from __future__ import annotations

import base64
import html
import json
import string
import urllib.parse
import uuid
from collections.abc import Callable

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from midas_devops.safety.redaction import Redactor

Encoding = Callable[[str], str]


def _base64_behind(offset: int) -> Encoding:
    return lambda value: base64.b64encode(b"u:x"[:offset] + value.encode()).decode()


def _go_json(value: str) -> str:
    """As Go's encoder writes it, and so ``terraform show -json``."""
    text = json.dumps(value, ensure_ascii=False)[1:-1]
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


ENCODINGS: dict[str, Encoding] = {
    "raw": lambda value: value,
    "json": lambda value: json.dumps(value)[1:-1],
    "json, not only ascii": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json of go": _go_json,
    "json in json": lambda value: json.dumps(json.dumps(value))[1:-1],
    "json in json in json": lambda value: json.dumps(json.dumps(json.dumps(value)))[1:-1],
    "repr": lambda value: repr(value)[1:-1],
    "repr of bytes": lambda value: repr(value.encode())[2:-1],
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "url path": urllib.parse.quote,
    "url form": urllib.parse.quote_plus,
    "url in lower case": lambda value: "".join(
        f"%{byte:02x}" if chr(byte) not in string.ascii_letters + string.digits else chr(byte)
        for byte in value.encode()
    ),
    "html": html.escape,
    "html, decimal": lambda value: "".join(
        f"&#{ord(character)};" if character in "&<>\"'" else character for character in value
    ),
    "base64": _base64_behind(0),
    "base64, one byte in": _base64_behind(1),
    "base64, two bytes in": _base64_behind(2),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 in a url": lambda value: urllib.parse.quote(base64.b64encode(value.encode()).decode(), safe=""),
}

characters = st.characters(codec="utf-8", exclude_characters="\r")
secrets = st.one_of(
    st.text(st.sampled_from(string.ascii_letters + string.digits), min_size=8, max_size=40),
    st.text(st.sampled_from(string.printable.replace("\r", "")), min_size=8, max_size=40),
    st.text(characters, min_size=8, max_size=40),
).filter(lambda value: len(value.strip()) >= 8)
surroundings = st.text(characters, max_size=60)


@settings(max_examples=400, deadline=None)
@given(secret=secrets, encoding=st.sampled_from(sorted(ENCODINGS)), before=surroundings, after=surroundings)
@example(secret="p%40ss w+rd/\\\"'<&>", encoding="json in json", before="", after="")
@example(secret="12345678", encoding="base64, two bytes in", before="x", after="x")
@example(secret="aaaaaaaaaa", encoding="raw", before="aaa", after="aaa")
def test_a_known_value_disappears_wherever_and_however_it_is_written(
    secret: str, encoding: str, before: str, after: str
) -> None:
    assume(secret.strip() not in "[redacted:value]")
    written = ENCODINGS[encoding](secret.strip())
    redactor = Redactor()
    redactor.learn([secret])
    redacted = redactor.text(before + written + after)
    # What stands around it may complete another occurrence of a part that repeats itself.
    assert written not in redacted.replace("[redacted:value]", "\0")
    assert "[redacted:" in redacted


@settings(max_examples=200, deadline=None)
@given(values=st.lists(secrets, min_size=1, max_size=6), between=surroundings)
def test_several_secrets_side_by_side_all_disappear(values: list[str], between: str) -> None:
    values = [value.strip() for value in values]
    assume(all(value not in "[redacted:value]" for value in values))
    redactor = Redactor()
    redactor.learn(values)
    redacted = redactor.text(between.join(values)).replace("[redacted:value]", "\0")
    assert all(value not in redacted for value in values)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.sampled_from("abcdef"), min_size=12, max_size=30),
    cuts=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_secrets_that_overlap_leave_no_part_of_either(text: str, cuts: tuple[int, int]) -> None:
    parts = [text[cut : cut + 9] for cut in cuts if len(text[cut : cut + 9]) >= 8]
    redactor = Redactor()
    redactor.learn(parts)
    redacted = redactor.text(f"<{text}>")
    hidden = set()
    for part in parts:
        for start in range(len(text)):
            if text.startswith(part, start):
                hidden.update(range(start, start + len(part)))
    rest = "".join(character for at, character in enumerate(text) if at not in hidden)
    assert redacted.replace("[redacted:value]", "") == f"<{rest}>"


@settings(max_examples=200, deadline=None)
@given(secret=secrets, lines=st.lists(surroundings, max_size=6))
def test_lines_stay_where_they_are(secret: str, lines: list[str]) -> None:
    redactor = Redactor()
    redactor.learn([secret])
    text = "\n".join([*lines, secret, *lines])
    assert redactor.text(text).count("\n") == text.count("\n")


@settings(max_examples=200, deadline=None)
@given(secret=secrets, lines=st.lists(surroundings.map(lambda line: line.replace("\n", " ")), max_size=8))
def test_a_stream_of_lines_is_redacted_as_the_whole_text_is(secret: str, lines: list[str]) -> None:
    redactor = Redactor()
    redactor.learn([secret])
    lines = [f"{line}\n" for line in [*lines, secret.replace("\n", " "), *lines]]
    assert "".join(redactor.lines(lines)) == redactor.text("".join(lines))


@settings(max_examples=200, deadline=None)
@given(secret=secrets, before=surroundings, after=surroundings)
def test_redacting_twice_changes_nothing_more(secret: str, before: str, after: str) -> None:
    assume(secret.strip() not in "[redacted:value]")
    redactor = Redactor()
    redactor.learn([secret])
    once = redactor.text(before + secret + after)
    assume(secret.strip() not in once)
    assert redactor.text(once) == once


ADDRESS = r"(module\.[a-z]{1,8}(\[[0-9]\])?\.)?aws_[a-z]{2,12}\.[a-z_]{1,12}(\[\"[a-z]{1,6}\"\])?"
URL = r"https://[a-z]{1,12}\.example(:[0-9]{2,4})?/[a-z/]{0,20}(\?[a-z]{1,5}=[a-z0-9]{1,8})?"
PATH = r"/?([a-z0-9_.-]{1,10}/){1,4}[a-z0-9_-]{1,10}\.(py|tf|json)"

words = st.one_of(
    st.uuids().map(str),
    st.binary(min_size=20, max_size=20).map(bytes.hex),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}"),
    st.integers(0, 10**12).map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.from_regex(ADDRESS, fullmatch=True),
    st.from_regex(URL, fullmatch=True),
    st.from_regex(PATH, fullmatch=True),
    st.from_regex(r"[a-z]{1,12}[.,;:!?]?", fullmatch=True),
    st.sampled_from(["Error:", "(known after apply)", "->", "=", "+", "10.0.0.1/16", "v1.2.3-rc.1+build.5"]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(words, max_size=30), st.sampled_from([" ", "\n", ", ", "\t"]))
def test_ordinary_text_of_our_trade_is_left_alone(parts: list[str], separator: str) -> None:
    text = separator.join(parts)
    redactor = Redactor()
    redactor.learn(["a-known-value-that-is-not-there", str(uuid.UUID(int=1))])
    assert redactor.text(text) is text


HARMLESS_KEYS = st.sampled_from(["name", "key", "keys", "sha256", "address", "token_count"])
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), words, st.text(characters, max_size=7)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(HARMLESS_KEYS, inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_json_without_secrets_comes_back_equal(value: object) -> None:
    assert Redactor().json(value) == value


@settings(max_examples=200, deadline=None)
@given(secret=secrets, wrap=st.lists(st.sampled_from(["list", "dict", "key", "text"]), max_size=5))
def test_a_known_value_disappears_from_anywhere_in_a_json_document(secret: str, wrap: list[str]) -> None:
    secret = secret.strip()
    assume(secret not in "[redacted:value]" and secret not in '{"a": 1}')
    redactor = Redactor()
    redactor.learn([secret])
    value: object = secret
    for kind in wrap:
        if kind == "text":
            value = json.dumps(value)
        elif kind == "list":
            value = [value]
        elif kind == "dict":
            value = {"at": value}
        elif isinstance(value, str):
            value = {value: 1}
    written = json.dumps(redactor.json(value))
    assert json.dumps(secret)[1:-1] not in written.replace("[redacted:value]", "\0")
    assert "[redacted:value]" in written
