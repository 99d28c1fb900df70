# ruff: noqa: E501 (the patterns are the data)
"""One pass over a log: every reader proposes, the catalogue names, and what fits is kept in flat memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from midas_devops.context.signals import HINT, is_noise, signal_of
from midas_devops.domain.evidence import Category
from midas_devops.knowledge.catalogue import Catalogue, Entry
from midas_devops.knowledge.structure.candidate import Candidate, Reader
from midas_devops.knowledge.structure.compilers import COMPILER_SHAPES, COMPILER_WRAPPERS
from midas_devops.knowledge.structure.generic import GenericReader
from midas_devops.knowledge.structure.infrastructure import PlaybookReader, TerraformReader, is_task_result
from midas_devops.knowledge.structure.jvm import BuildToolReader, StackTraceReader
from midas_devops.knowledge.structure.lines import Line, first_look, line_of, plain_look
from midas_devops.knowledge.structure.linters import LINTER_SHAPES
from midas_devops.knowledge.structure.naming import NUMBERS, better, name, signature
from midas_devops.knowledge.structure.python import PytestReader, TracebackReader, announces_harmless
from midas_devops.knowledge.structure.quoting import REACH, Window, cropped
from midas_devops.knowledge.structure.runners import CHECKSUM_SHAPES, RUNNER_SHAPES, WRAPPER_SHAPES
from midas_devops.knowledge.structure.shapes import ShapeReader
from midas_devops.knowledge.structure.steps import Place

_BATCH = 4096
"""Lines looked at together."""
_PATIENT = 8000
"""Distinct lines that are asked about; past that the fainter ones only right before the job says that it failed."""
_SPAN = 18
"""Lines of a span at most; the contract allows 20."""
_KEPT = 3000
"""Distinct candidates held at most; past that only new heavy ones come in."""

_VARYING = re.compile(rb"[0-9a-fA-F]*\d[0-9a-fA-F]*")
_MARKER = re.compile(rb"##\[|\[Pipeline\]|section_(?:start|end)")
_GOOD_NEWS = re.compile(r"\b(?:passed|ok|done|succe\w+|complete[ds]?|finished)\b", re.IGNORECASE)
_STEP_BORDER = re.compile(r"##\[(?:error|group)\]|\[Pipeline\] (?:stage|\}|\{)|section_(?:start|end):")
_LONGEST_SHAPE = 600
_LONGEST_MESSAGE = 4000
_MANY_SHAPES = 40_000


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
        self._within = False
        self._window = Window()
        self._asked = 0
        self._faint: deque[tuple[int, bytes]] = deque(maxlen=REACH)
        self._here: list[Candidate] = []
        self._found: dict[str, Candidate] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._shape = b""
        self._last_key = ""
        self._dull: set[bytes] = set()
        self._shapes: dict[tuple[int, bytes], str] = {}

    def run(self, lines: Iterable[bytes]) -> list[Candidate]:
        """Read everything; the candidates in the order of their lines, with their lines quoted."""
        coming = iter(lines)
        while batch := list(islice(coming, _BATCH)):
            self._window.extend(batch)
            self._read(batch)
            self._window.quote()
        self._ask_faint()
        self._close()
        self._window.quote(everything=True)
        return sorted(self._found.values(), key=lambda candidate: candidate.anchor)

    def _read(self, batch: list[bytes]) -> None:
        """Every line that a first look lets through, and those in between while a reader is open."""
        before = self.lines
        telling = [at for at, data in enumerate(batch) if first_look(_words(data))]
        at = 0
        for told in [*telling, len(batch)]:
            while self._within and at < told:
                self._line(before + at + 1, batch[at], telling=False)
                at += 1
            if told < len(batch):
                self._line(before + told + 1, batch[told], telling=True)
            at = told + 1
        self.lines = before + len(batch)

    def _line(self, number: int, data: bytes, *, telling: bool) -> None:
        """``telling``: whether a first look let it through; if not, only a reader that is open has use for it."""
        self.lines = number
        within = self._within
        if not within and self._passed_over(number, data):
            return
        line = line_of(number, data)
        if within and _STEP_BORDER.match(line.marked):
            self._close()
        before = self.place.marks
        if not self.place.note(line):
            return
        if self.place.last_failure == number:
            self._ask_faint()
        self._ask(line, self._readers if telling else self._stateful)
        if not within:
            self._asked += 1
            if self._shape and self.place.marks == before:
                self._remember(line)

    def _passed_over(self, number: int, data: bytes) -> bool:
        """Whether nothing is to be asked about this line: one like it was, or it is faint and there are thousands."""
        words = _words(data)
        if self._seen_before(words):
            return True
        if self._asked < _PATIENT or self.place.in_listing or plain_look(words):
            return False
        self._faint.append((number, data))
        return True

    def _ask_faint(self) -> None:
        """The faint lines right before a failure may be its cause."""
        for number, data in self._faint:
            line = line_of(number, data)
            if number > self.lines - REACH and self.place.note(line):
                self._ask(line, self._readers)
        self._faint.clear()

    def message(self) -> Candidate | None:
        """The text itself, where it is one line that somebody was given; None for a log, or for good news."""
        told = [line for line in self._window.newest() if line.text.strip()]
        if len(told) != 1 or _GOOD_NEWS.search(told[0].text) or is_noise(told[0].marked):
            return None
        line = told[0]
        return Candidate(
            anchor=line.no, text=line.text.strip(), kind="message", score=30.0, category=Category.UNKNOWN,
            first=line.no, last=line.no, last_seen=line.no, quoted=(cropped(line.raw),),
        )  # fmt: skip

    def _close(self) -> None:
        """What the readers hold back belongs to the step that ends here, not to the next one."""
        for reader in self._readers:
            reader.end(self._here.append)
        self._within = any(reader.open for reader in self._stateful)
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
        if self._within or announces_harmless(line.text):
            return
        if len(self._dull) + len(self._shapes) > _MANY_SHAPES:
            self._dull.clear()
            self._shapes.clear()
        if self._last_key:
            self._shapes[self.place.step, self._shape] = self._last_key
        else:
            self._dull.add(self._shape)

    def _ask(self, line: Line, readers: tuple[Reader, ...]) -> None:
        for reader in readers:
            reader.feed(line, self._here.append)
        self._within = any(reader.open for reader in self._stateful)
        self._last_key = ""
        self._take(line if readers is self._readers else None)

    def _take(self, line: Line | None) -> None:
        """Of several proposals for one line keep the best, and let the catalogue name it."""
        best: dict[int, Candidate] = {}
        for candidate in self._here:
            known = best.get(candidate.anchor)
            best[candidate.anchor] = candidate if known is None else better(known, candidate)
        self._here.clear()
        if line and line.no not in best and self._tells(line) and (entries := self._known(line.text)):
            best[line.no] = Candidate(
                anchor=line.no, text=line.text.strip(), kind="catalogue", score=0.0, category=Category.UNKNOWN,
                is_warning=line.mark == "warning" or signal_of(line.marked).strength <= HINT,
            )  # fmt: skip
            name(best[line.no], entries)
        for candidate in best.values():
            if any(told in candidate.text or candidate.text in told for told in self._watch):
                candidate.score = max(candidate.score, 74.0) + 8
            if candidate.kind != "catalogue":
                name(candidate, self._known(candidate.matching or candidate.text))
            self._report.settle(candidate)
            self._terraform.settle(candidate)
            self._hold(candidate)

    @staticmethod
    def _tells(line: Line) -> bool:
        """Whether the line may be named by the catalogue alone."""
        return not is_task_result(line.text)

    def _known(self, text: str) -> list[Entry]:
        text = text[:_LONGEST_MESSAGE]
        if not self._catalogue.may_match(text):
            return []
        shape = text if len(text) > 400 else NUMBERS.sub("#", text)  # noqa: PLR2004
        found = self._entries.get(shape)
        if found is None:
            found = self._catalogue.matches(text)
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
        key = self._last_key = signature(candidate)
        known = self._found.get(key)
        if known is not None:
            known.count += 1
            known.last_seen = candidate.anchor
            graver = candidate.score > known.score + 3 or (known.is_warning and not candidate.is_warning)
            # A block that has been read to its end tells more than its first line did.
            graver = graver or (candidate.kind == "terraform" and known.anchor == candidate.anchor)
            if not graver or candidate.in_epilogue:
                return
            candidate.count = known.count
        if len(self._found) >= _KEPT and not self._make_room(candidate):
            return
        self._found[key] = candidate
        self._window.wait(candidate)

    def _make_room(self, candidate: Candidate) -> bool:
        """Past the limit the lightest go, a tenth at a time; a light newcomer is not worth it."""
        if candidate.score < 30:  # noqa: PLR2004
            return False
        lightest = sorted(self._found.items(), key=lambda item: item[1].score)[: _KEPT // 10]
        for key, _ in lightest:
            del self._found[key]
        return True


def _words(data: bytes) -> bytes:
    """Without an ISO timestamp, whose digits look like HTTP statuses."""
    if data[:2] == b"20" and data[10:11] == b"T":
        return data[data.find(b" ", 19, 40) + 1 :]
    return data
