# ruff: noqa: E501 (the patterns are the data)
"""One pass over a log: every reader proposes, the catalogue names, and what fits is kept in flat memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

from midas_devops.context.signals import HINT, is_noise, signal_of
from midas_devops.domain.evidence import Category
from midas_devops.knowledge.catalogue import Catalogue, Entry
from midas_devops.knowledge.structure.candidate import Candidate, Reader
from midas_devops.knowledge.structure.compilers import COMPILER_SHAPES, COMPILER_WRAPPERS
from midas_devops.knowledge.structure.generic import GenericReader
from midas_devops.knowledge.structure.infrastructure import PlaybookReader, TerraformReader, is_task_result
from midas_devops.knowledge.structure.jvm import BuildToolReader, StackTraceReader
from midas_devops.knowledge.structure.lines import FIRST_LOOK, Line, line_of
from midas_devops.knowledge.structure.linters import LINTER_SHAPES
from midas_devops.knowledge.structure.python import PytestReader, TracebackReader, announces_harmless
from midas_devops.knowledge.structure.runners import CHECKSUM_SHAPES, RUNNER_SHAPES, WRAPPER_SHAPES
from midas_devops.knowledge.structure.shapes import ShapeReader
from midas_devops.knowledge.structure.steps import Place

_RING = 96
_SPAN = 18
"""Lines of a span at most; the contract allows 20."""
_QUOTED = 2000
"""Characters of one quoted line at most."""
_KEPT = 3000
"""Distinct candidates held at most; past that only new heavy ones come in."""
_SHORT_MEMORY = 64

_NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{7,}|\d+", re.IGNORECASE)
_VARYING = re.compile(rb"[0-9a-fA-F]*\d[0-9a-fA-F]*")
_MARKER = re.compile(rb"##\[|\[Pipeline\]|section_(?:start|end)")
_GOOD_NEWS = re.compile(r"\b(?:passed|ok|done|succe\w+|complete[ds]?|finished)\b", re.IGNORECASE)
_STEP_BORDER = re.compile(r"##\[(?:error|group)\]|\[Pipeline\] (?:stage|\}|\{)|section_(?:start|end):")
_LONGEST_SHAPE = 600
_MANY_SHAPES = 40_000
_SETTLED_KINDS = frozenset({"test", "pytest", "lint", "compile"})


class Scan:
    """Feeds the readers and keeps what they propose. Use once."""

    def __init__(self, catalogue: Catalogue, watch: Sequence[str] = ()) -> None:
        """``watch``: messages that an engine reported itself; their lines are believed."""
        self.place = Place()
        self._watch = tuple(watch)
        self.lines = 0
        self._catalogue = catalogue
        self._report = PytestReader()
        self._terraform = TerraformReader()
        self._readers: tuple[Reader, ...] = (
            TracebackReader(), self._report, self._terraform, PlaybookReader(), StackTraceReader(), BuildToolReader(),
            ShapeReader(WRAPPER_SHAPES), ShapeReader(COMPILER_WRAPPERS), ShapeReader(COMPILER_SHAPES),
            ShapeReader(LINTER_SHAPES), ShapeReader(CHECKSUM_SHAPES + RUNNER_SHAPES), GenericReader(),
        )  # fmt: skip
        self._stateful = self._readers[:6]
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=_RING)
        self._here: list[Candidate] = []
        self._waiting: deque[Candidate] = deque()
        self._found: dict[str, Candidate] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._shape = b""
        self._last_key = ""
        self._dull: set[bytes] = set()
        self._shapes: dict[tuple[int, bytes], str] = {}

    def run(self, lines: Iterable[bytes]) -> list[Candidate]:
        """Read everything; the candidates in the order of their lines, with their lines quoted."""
        look = FIRST_LOOK.search
        for data in lines:
            self.lines += 1
            self._ring.append((self.lines, data))
            if self._waiting and self._waiting[0].last <= self.lines - 1:
                self._settle()
            words = _words(data)
            within = any(reader.open for reader in self._stateful)
            if not within and (look(words) is None or self._seen_before(words)):
                continue
            line = line_of(self.lines, data)
            if within and _STEP_BORDER.match(line.marked):
                self._close()
            before = self.place.marks
            if not self.place.note(line):
                continue
            self._ask(line)
            if not within and self._shape and self.place.marks == before:
                self._remember(line)
        self._close()
        self._settle(everything=True)
        return sorted(self._found.values(), key=lambda candidate: candidate.anchor)

    def message(self) -> Candidate | None:
        """The text itself, where it is one line that somebody was given; None for a log, or for good news."""
        told = [line for number, data in self._ring if (line := line_of(number, data)).text.strip()]
        if len(told) != 1 or _GOOD_NEWS.search(told[0].text) or is_noise(told[0].marked):
            return None
        line = told[0]
        return Candidate(
            anchor=line.no, text=line.text.strip(), kind="message", score=30.0, category=Category.UNKNOWN,
            first=line.no, last=line.no, last_seen=line.no, quoted=(_cropped(line.raw),),
        )  # fmt: skip

    def _close(self) -> None:
        """What the readers hold back belongs to the step that ends here, not to the next one."""
        for reader in self._readers:
            reader.end(self._here.append)
        self._take(None)

    def _seen_before(self, words: bytes) -> bool:
        """Whether a line of this shape was read in this step, and what is known of it is all there is to know."""
        # A mark of the platform moves the place in the job each time, and a listing is read line by line.
        told_apart = self.place.in_listing or len(words) > _LONGEST_SHAPE or _MARKER.search(words[:40])
        self._shape = b"" if told_apart else _VARYING.sub(b"#", words)
        if self._shape in self._dull:
            return True
        candidate = self._found.get(self._shapes.get((self.place.step, self._shape), ""))
        if candidate is None or not self._shape:
            return False
        candidate.count += 1
        candidate.last_seen = self.lines
        return True

    def _remember(self, line: Line) -> None:
        if any(reader.open for reader in self._stateful) or announces_harmless(line.text):
            return
        if len(self._dull) + len(self._shapes) > _MANY_SHAPES:
            self._dull.clear()
            self._shapes.clear()
        if self._last_key:
            self._shapes[self.place.step, self._shape] = self._last_key
        else:
            self._dull.add(self._shape)

    def _ask(self, line: Line) -> None:
        for reader in self._readers:
            reader.feed(line, self._here.append)
        self._last_key = ""
        self._take(line)

    def _take(self, line: Line | None) -> None:
        """Of several proposals for one line keep the best, and let the catalogue name it."""
        best: dict[int, Candidate] = {}
        for candidate in self._here:
            known = best.get(candidate.anchor)
            best[candidate.anchor] = candidate if known is None else _better(known, candidate)
        self._here.clear()
        if line and line.no not in best and self._tells(line) and (entries := self._known(line.text)):
            best[line.no] = Candidate(
                anchor=line.no, text=line.text.strip(), kind="catalogue", score=0.0, category=Category.UNKNOWN,
                is_warning=line.mark == "warning" or signal_of(line.marked).strength <= HINT,
            )  # fmt: skip
            _name(best[line.no], entries)
        for candidate in best.values():
            if any(told in candidate.text or candidate.text in told for told in self._watch):
                candidate.score = max(candidate.score, 74.0) + 8
            if candidate.kind != "catalogue":
                _name(candidate, self._known(candidate.matching or candidate.text))
            self._report.settle(candidate)
            self._terraform.settle(candidate)
            self._hold(candidate)

    @staticmethod
    def _tells(line: Line) -> bool:
        """Whether the line may be named by the catalogue alone."""
        return not is_task_result(line.text)

    def _known(self, text: str) -> list[Entry]:
        shape = text if len(text) > 400 else _NUMBERS.sub("#", text)  # noqa: PLR2004
        found = self._entries.get(shape)
        if found is None:
            found = self._catalogue.matches(text[:4000])
            if len(self._entries) > 20_000:  # noqa: PLR2004
                self._entries.clear()
            self._entries[shape] = found
        return found

    def _hold(self, candidate: Candidate) -> None:
        candidate.step = self.place.step
        candidate.in_epilogue = self.place.in_epilogue
        first = candidate.first or candidate.anchor - candidate.before
        candidate.first = max(1, candidate.anchor - _SPAN + 4, first)
        candidate.last = min(candidate.anchor + candidate.after, candidate.first + _SPAN - 1)
        candidate.last_seen = candidate.anchor
        key = self._last_key = _signature(candidate)
        known = self._found.get(key)
        if known is not None:
            known.count += 1
            known.last_seen = candidate.anchor
            graver = candidate.score > known.score + 3 or (known.is_warning and not candidate.is_warning)
            if not graver or candidate.in_epilogue:
                return
            candidate.count = known.count
        if len(self._found) >= _KEPT and not self._make_room(candidate):
            return
        self._found[key] = candidate
        self._waiting.append(candidate)

    def _make_room(self, candidate: Candidate) -> bool:
        """Past the limit the lightest go, a tenth at a time; a light newcomer is not worth it."""
        if candidate.score < 30:  # noqa: PLR2004
            return False
        lightest = sorted(self._found.items(), key=lambda item: item[1].score)[: _KEPT // 10]
        for key, _ in lightest:
            del self._found[key]
        return True

    def _settle(self, *, everything: bool = False) -> None:
        """Quote the lines of candidates whose last line has been read."""
        while self._waiting and (everything or self._waiting[0].last <= self.lines - 1):
            candidate = self._waiting.popleft()
            candidate.last = min(candidate.last, self.lines)
            _trim(
                candidate,
                [line_of(no, data) for no, data in self._ring if candidate.first <= no <= candidate.last],
            )


def _words(data: bytes) -> bytes:
    """Without an ISO timestamp, whose digits look like HTTP statuses."""
    if data[:2] == b"20" and data[10:11] == b"T":
        return data[data.find(b" ", 19, 40) + 1 :]
    return data


def _better(one: Candidate, other: Candidate) -> Candidate:
    """The stronger proposal. A wrapper stays a wrapper whatever else its words look like."""
    if one.is_wrapper != other.is_wrapper and {one.kind, other.kind} <= {"wrapper", "generic", "exception"}:
        return one if one.is_wrapper else other
    best, rest = (one, other) if one.score >= other.score else (other, one)
    best.is_warning = best.is_warning or (rest.is_warning and rest.kind == "traceback")
    best.in_test = best.in_test or rest.in_test
    return best


def _name(candidate: Candidate, entries: list[Entry]) -> None:
    """Let the best entry explain the candidate, unless the structure knows better."""
    if not entries:
        return
    entry = next((entry for entry in entries if entry.settles), entries[0])
    candidate.entry_id = entry.id
    if candidate.fixed_category and candidate.kind in _SETTLED_KINDS and not entry.settles:
        if entry.category is not candidate.category:
            candidate.entry_id = ""
            return
    elif candidate.in_test and not entry.settles:
        candidate.entry_id = ""
        return
    else:
        candidate.category = entry.category
        candidate.score = max(candidate.score, entry.weight) if not candidate.is_wrapper else entry.weight
        candidate.is_wrapper = candidate.is_wrapper and entry.weight < 50  # noqa: PLR2004
    candidate.is_consequence = entry.consequence
    candidate.cause = entry.cause
    candidate.remedies = entry.remedies
    candidate.links = entry.links
    candidate.retryable = entry.retryable


def _signature(candidate: Candidate) -> str:
    return f"{candidate.step}|{_NUMBERS.sub('#', candidate.text[:160])}"


_BOUNDARY = re.compile(
    r"^##\[(?:group|endgroup|section)|^\[Pipeline\]|^##\[error\]Process completed|section_(?:start|end)"
)


def _trim(candidate: Candidate, lines: list[Line]) -> None:
    """End the span at a step's border and at blank edges; then keep the lines as they are quoted."""
    kept = list(lines)
    for line in lines:
        if not _BOUNDARY.search(line.marked):
            continue
        if line.no < candidate.anchor:
            kept = [one for one in lines if one.no > line.no]
        elif line.no > candidate.anchor:
            kept = [one for one in kept if one.no < line.no]
            break
    while kept and not kept[0].text.strip() and kept[0].no < candidate.anchor:
        kept.pop(0)
    while kept and not kept[-1].text.strip() and kept[-1].no > candidate.anchor:
        kept.pop()
    if kept:
        candidate.first, candidate.last = kept[0].no, kept[-1].no
        candidate.quoted = tuple(_cropped(line.raw) for line in kept)


def _cropped(raw: str) -> str:
    return raw if len(raw) <= _QUOTED else f"{raw[:_QUOTED]} […{len(raw) - _QUOTED} more characters cut]"
