"""Condensing: never over budget, never a line that is not there, causes before consequences."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midas_devops.context.condense import Condensed, condense_file, condense_stream, condense_text
from midas_devops.context.reading import decode, wide_encoding
from midas_devops.context.signals import clean
from midas_devops.context.tokens import count
from midas_devops.errors import UnreadableError, UsageError

MARK = re.compile(r"^… [\d,]+ lines? cut \(\d+(–\d+)?\) …$")
FRAGMENTS = st.sampled_from(
    [
        b"\n",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b"\x00",
        b"\xff",
        b"ERROR: no space left on device ",
        b"  at a.b(C.java:1)",
        b"FAILED tests/test_a.py::test_b - assert 1 == 2\n",
        b"2026-03-04T10:11:12.1234567Z ",
        b"##[error]",
        b"\x1b[31m",
        b"Process completed with exit code 1.\n",
        b"compiling x.c\n",
        b"0 errors\n",
        b"x" * 5000,
        "é─│".encode(),
        b"<|endoftext|>",
    ]
)
LOGS = st.one_of(st.binary(max_size=600), st.lists(FRAGMENTS, max_size=60).map(b"".join))


@pytest.mark.parametrize("packed", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_a_packed_log_is_an_error_that_names_the_tool(
    tmp_path: Path, request: pytest.FixtureRequest, packed: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "build.log").write_bytes(packed(b"compiling\nerror: no such file\n" * 50))
    with pytest.raises(UnreadableError, match=f"packed with {request.node.callspec.id}"):
        condense_file(tmp_path / "build.log", 100)


def _condense(raw: bytes, budget: int) -> Condensed:
    return condense_stream(io.BytesIO(raw), budget)


@given(LOGS, st.integers(min_value=1, max_value=700))
@settings(max_examples=200, deadline=None)
def test_any_log_fits_any_budget_by_the_real_tokenizer(raw: bytes, budget: int) -> None:
    result = _condense(raw, budget)
    assert result.tokens == count(result.text) <= budget == result.budget


@given(LOGS, st.integers(min_value=1, max_value=700))
@settings(max_examples=200, deadline=None)
def test_every_span_exists_and_every_shown_line_stands_in_one(raw: bytes, budget: int) -> None:
    result = _condense(raw, budget)
    wide = wide_encoding(raw[:4096])
    lines = (raw.decode(wide, errors="replace").encode(errors="replace") if wide else raw).split(b"\n")
    ends = [0]
    for span in result.spans:
        assert ends[-1] < span.first_line <= span.last_line <= result.lines_total
        ends.append(span.last_line)
    assert result.lines_kept == sum(s.last_line - s.first_line + 1 for s in result.spans)
    quoted = [
        clean(decode(state))
        for span in result.spans
        for number in range(span.first_line, span.last_line + 1)
        for state in lines[number - 1].split(b"\r")
    ]
    everything = "\n".join(quoted)
    for shown in result.text.split("\n"):
        if shown == "repeated in the lines cut:":
            break
        if MARK.match(shown) or shown.startswith("also failed"):
            continue
        for part in shown.replace("…", "\n").split("\n"):
            assert part.strip() in everything


@given(LOGS)
@settings(max_examples=60, deadline=None)
def test_condensing_is_deterministic(raw: bytes) -> None:
    assert _condense(raw, 120) == _condense(raw, 120)


def test_the_numbers_of_what_was_cut_add_up() -> None:
    log = "".join(f"step {i} done\n" for i in range(1, 501)) + "fatal: repository not found\n" + "bye\n" * 99
    result = condense_text(log, 120)
    cut = 0
    for mark in re.findall(r"… ([\d,]+) lines? cut \((\d+)(?:–(\d+))?\) …", result.text):
        first, last = int(mark[1]), int(mark[2] or mark[1])
        assert last - first + 1 == int(mark[0].replace(",", ""))
        cut += last - first + 1
    assert cut + result.lines_kept == result.lines_total == 600
    assert any(span.first_line <= 501 <= span.last_line for span in result.spans)


def test_a_log_that_fits_is_kept_whole() -> None:
    log = "first\nsecond\n\nERROR: third\nlast\n"
    result = condense_text(log, 200)
    assert result.text.split("\n") == ["first", "second", "", "ERROR: third", "last"]
    assert (result.lines_kept, result.lines_total) == (5, 5)


def test_the_cause_is_kept_before_its_consequence() -> None:
    noise = "".join(f"tests/test_errors.py::test_error_{i} PASSED\n" for i in range(400))
    log = noise + "E       assert 1000 == 900\n" + noise + "##[error]Process completed with exit code 1.\n"
    assert "assert 1000 == 900" in condense_text(log, 30).text
    assert "exit code 1" not in condense_text(log, 30).text


def test_first_and_last_error_are_both_kept() -> None:
    quiet = "".join(f"INFO request {i} handled\n" for i in range(2000))
    log = f"{quiet}fatal: first thing broke\n{quiet}panic: last thing broke\n{quiet}"
    text = condense_text(log, 200).text
    assert "first thing broke" in text
    assert "last thing broke" in text


def test_hundreds_of_distinct_failures_are_each_named() -> None:
    names = [f"test_rule_{i:03d}_holds" for i in range(250)]
    log = "".join(
        f"{'ok ' * 20}\n" * 40 + f"FAILED tests/test_rules.py::{name} - AssertionError: expected 1\n"
        for name in names
    )
    result = condense_text(log, 2000)
    assert result.failures == 250
    assert sum(name in result.text for name in names) >= 0.95 * len(names)


def test_repeated_shapes_are_folded_with_counts() -> None:
    log = "".join(f"downloaded part {i} of 3000 in {i % 7} ms\n" for i in range(3000))
    template = condense_text(log, 300).templates[0]
    assert template.count == 3000
    assert (template.first_line, template.last_line) == (1, 3000)
    assert template.template == "downloaded part <*> of <*> in <*> ms"


def test_a_shape_that_fails_once_among_its_like_is_seen() -> None:
    log = "".join(
        f'10.0.0.1 "GET /orders/{i} HTTP/1.1" {503 if i == 7777 else 200} 12\n' for i in range(9000)
    )
    result = condense_text(log, 150)
    assert any(span.first_line <= 7778 <= span.last_line for span in result.spans)


def test_an_error_inside_one_long_line_is_found() -> None:
    items = [f'{{"id": {i}, "status": "ok"}}' for i in range(60_000)]
    items[31_000] = '{"id": 31000, "status": "ERROR: disk quota exceeded on node-77"}'
    result = condense_text("[" + ",".join(items) + "]", 150)
    assert "disk quota exceeded on node-77" in result.text
    assert (result.lines_total, result.lines_kept) == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_any_encoding_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_bytes(("läuft\n" * 300 + "FATAL: Größe ungültig\n" + "läuft\n" * 300).encode(encoding))
    result = condense_file(path, 100)
    assert "FATAL: Größe ungültig" in result.text
    assert result.lines_total == 601


def test_secrets_are_redacted_everywhere_even_where_a_line_is_cut() -> None:
    secret = "tok-" + "5e1f" * 12
    log = (
        "".join(f"using {secret} for part {i}\n" for i in range(50))
        + f"ERROR: denied for {'x' * 4000} {secret}\n"
    )
    for budget in (5, 40, 100, 400):
        result = condense_text(log, budget, redact=lambda text: text.replace(secret, "[redacted:token]"))
        dumped = result.model_dump_json()
        assert secret not in dumped
        assert "5e1f5e1f" not in dumped


def test_a_private_key_does_not_leave_in_parts() -> None:
    body = [f"MIIEowIBAAKCAQEA{i:04d}" for i in range(26)]
    log = "\n".join(
        ["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----", "ERROR: bad key"]
    )
    assert "MIIEow" not in condense_text(log, 300, redact=lambda text: text).text


def test_memory_does_not_grow_with_the_log() -> None:
    class Endless(io.RawIOBase):
        def __init__(self, size: int) -> None:
            self.left = size

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return (b"INFO  request 12345 handled in 3 ms\nERROR job 77 failed\n" * (size // 50 + 1))[:size]

    peaks = []
    for size in (8_000_000, 32_000_000):
        tracemalloc.start()
        condense_stream(Endless(size), 500)  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2 + 1_000_000


def test_an_empty_log_is_an_empty_text() -> None:
    assert condense_text("", 100) == Condensed(
        text="", tokens=0, budget=100, lines_total=0, lines_kept=0, spans=()
    )


def test_a_missing_log_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot read the log"):
        condense_file(tmp_path / "none.log", 100)


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_1_is_a_usage_error(budget: int) -> None:
    with pytest.raises(UsageError, match="holds nothing"):
        condense_text("x", budget)
