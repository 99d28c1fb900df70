"""Any bytes become numbered lines."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.context import reading
from midas_devops.context.reading import SEGMENT, blocks


def _read(raw: bytes, **options: bool) -> list[tuple[int, bytes]]:
    lines: list[tuple[int, bytes]] = []
    for block in blocks(io.BytesIO(raw), **options):
        numbers = block.numbers or range(block.first, block.first + len(block.lines))
        lines += zip(numbers, block.lines, strict=True)
    return lines


@given(
    st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b and b"\r" not in b and b"\x00" not in b))
)
def test_lines_are_numbered_from_1_and_end_at_newlines_only(lines: list[bytes]) -> None:
    raw = b"x" + b"".join(line + b"\n" for line in lines)
    expected = raw.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert _read(raw) == list(enumerate(expected, 1))


@pytest.mark.parametrize("size", [SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, reading.BLOCK * 2 + 17])
def test_a_long_line_comes_in_pieces_with_one_number(size: int) -> None:
    line = (b"word, " * (size // 6 + 1))[:size]
    pieces = _read(b"before\n" + line + b"\nafter\n")
    assert pieces[0] == (1, b"before")
    assert pieces[-1] == (3, b"after")
    assert {number for number, _ in pieces[1:-1]} == {2}
    assert b"".join(piece for _, piece in pieces[1:-1]) == line
    assert max(len(piece) for _, piece in pieces) <= SEGMENT


def test_a_piece_never_ends_inside_a_character() -> None:
    text = "ü" * SEGMENT
    pieces = [piece for _, piece in _read(text.encode())]
    assert len(pieces) > 1
    assert "".join(piece.decode() for piece in pieces) == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
def test_wide_encodings_are_read_as_text(encoding: str) -> None:
    raw = "erste Zeile\nFehler: Größe\nende\n".encode(encoding)
    assert [reading.decode(line).lstrip("\ufeff") for _, line in _read(raw)] == [
        "erste Zeile",
        "Fehler: Größe",
        "ende",
    ]


def test_what_is_not_utf8_is_latin_1() -> None:
    assert reading.decode("Größe".encode("latin-1")) == "Größe"


def test_a_progress_bar_is_its_states_under_one_number() -> None:
    assert _read(b"a\r\n 1%\r 2%\rERROR: lost\nz\n") == [
        (1, b"a"),
        (2, b" 1%"),
        (2, b" 2%"),
        (2, b"ERROR: lost"),
        (3, b"z"),
    ]


def test_the_body_of_a_private_key_is_masked_before_anything_can_cut_it() -> None:
    key = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----\nafter"
    lines = [line for _, line in _read(key, mask_keys=True)]
    assert lines[1:3] == [b"[redacted:private-key]"] * 2
    assert lines[4] == b"after"
    assert [line for _, line in _read(key)][1] == b"MIIEow"


def test_an_empty_log_has_no_lines() -> None:
    assert [line for line in _read(b"") if line[1]] == []
