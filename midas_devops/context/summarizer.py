"""The running context under its budget, by kind: pinned facts, current evidence, retrieved text, history.

Pinned facts always survive. What is cut points to the full text (``artifact:<sha256>``). It works without a
model; with one, only older history is worded by it, and only if the result keeps the promise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from midas_devops.context.condense import condense_text
from midas_devops.context.tokens import count
from midas_devops.domain.base import Value
from midas_devops.errors import BudgetExceededError
from midas_devops.ports.artifacts import Artifacts

if TYPE_CHECKING:
    from midas_devops.context.messages import FittedMessages, Message

Kind = Literal["pinned", "evidence", "retrieved", "history"]
Ask = Callable[[str], str | None]

HEADINGS: Final[dict[Kind, str]] = {
    "pinned": "Facts:",
    "evidence": "Evidence:",
    "retrieved": "Retrieved:",
    "history": "History:",
}
_WEIGHTS: Final[dict[Kind, int]] = {"evidence": 5, "retrieved": 2, "history": 3}
_ORDER: Final[tuple[Kind, ...]] = ("evidence", "retrieved", "history")
MARK: Final = re.compile(r"^\[summary of (\d+) earlier (?:entry|entries), in full: artifact:([0-9a-f]{64})\]")
_POINTER_TOKENS: Final = 64
"""Room for a mark with its hash."""
_LEAST_ENTRY: Final = 16
_SEPARATOR: Final = "\n"


class Cut(Value):
    """Something that was shortened or left out, and where it is in full."""

    kind: Kind
    what: str
    tokens_before: int
    tokens_after: int
    artifact: str
    """``artifact:<sha256>``."""


class Summary(Value):
    """A context within its budget."""

    text: str
    tokens: int
    budget: int
    cut: tuple[Cut, ...] = ()


@dataclass(slots=True)
class _Section:
    kind: Kind
    entries: list[str]
    wanted: int
    share: int = 0


class Summarizer:
    """Fits contexts into ``budget_tokens``; what is cut becomes an artifact, private as a raw log is."""

    def __init__(
        self,
        budget_tokens: int,
        artifacts: Artifacts,
        *,
        redact: Callable[[str], str] | None = None,
        ask: Ask | None = None,
    ) -> None:
        self.budget = budget_tokens
        self.artifacts = artifacts
        self.redact = redact or _as_it_is
        self.ask = ask

    def fit(
        self,
        pinned: Sequence[str],
        evidence: Sequence[str] = (),
        retrieved: Sequence[str] = (),
        history: Sequence[str] = (),
    ) -> Summary:
        """One text of at most the budget with every pinned fact in it; history is oldest first.

        Raises ``BudgetExceededError`` naming the pinned facts that do not fit.
        """
        pins = list(dict.fromkeys(pin for fact in pinned if (pin := self.redact(fact).strip())))
        facts = self._facts(pins)
        given: dict[Kind, Sequence[str]] = {"evidence": evidence, "retrieved": retrieved, "history": history}
        room = self.budget - count(facts + _SEPARATOR)
        cuts: list[Cut] = []
        while True:
            cuts.clear()
            parts = [facts] if facts else []
            for section in _shared(self._sections(given), room):
                body = self._body(section, cuts)
                if body:
                    parts.append(f"{HEADINGS[section.kind]}{_SEPARATOR}{body}")
            text = _SEPARATOR.join(parts)
            tokens = count(text)
            if tokens <= self.budget or room <= 0:
                break
            room -= max(tokens - self.budget, room // 10, 1)
        return self._checked(Summary(text=text, tokens=tokens, budget=self.budget, cut=tuple(cuts)), pins)

    def fit_messages(self, messages: Sequence[Message], pinned: Sequence[str] = ()) -> FittedMessages:
        """The same for messages of a parent graph, see :func:`midas_devops.context.messages.fit_messages`."""
        from midas_devops.context.messages import fit_messages

        return fit_messages(self, messages, pinned)

    def _checked(self, summary: Summary, pins: list[str]) -> Summary:
        lost = [pin for pin in pins if pin not in summary.text]
        if summary.tokens > self.budget or lost:
            raise BudgetExceededError(
                f"the context needs {summary.tokens} tokens, the budget is {self.budget}",
                hint="raise budget_tokens, or pin fewer facts"
                + (f"; lost: {', '.join(lost)}" if lost else ""),
            )
        return summary

    def _facts(self, pins: list[str]) -> str:
        facts = _SEPARATOR.join([HEADINGS["pinned"], *(f"- {pin}" for pin in pins)]) if pins else ""
        if count(facts) <= self.budget:
            return facts
        over, used = [], count(HEADINGS["pinned"] + _SEPARATOR)
        for pin in pins:
            used += count(f"- {pin}{_SEPARATOR}")
            if used > self.budget:
                over.append(pin if len(pin) <= 80 else pin[:79] + "…")  # noqa: PLR2004
        named = "; ".join(over[:5]) + (f" and {len(over) - 5} more" if len(over) > 5 else "")  # noqa: PLR2004
        raise BudgetExceededError(
            f"the pinned facts alone need {count(facts)} tokens, the budget is {self.budget}; "
            f"these do not fit: {named}",
            hint="raise budget_tokens, or pin fewer facts",
        )

    def _sections(self, given: dict[Kind, Sequence[str]]) -> list[_Section]:
        sections = []
        for kind in _ORDER:
            entries = [text for entry in given[kind] if (text := self.redact(entry).strip("\n"))]
            if entries:
                wanted = count(_SEPARATOR.join([HEADINGS[kind], *entries])) + len(entries) + 1
                sections.append(_Section(kind, entries, wanted))
        return sections

    def _body(self, section: _Section, cuts: list[Cut]) -> str:
        room = section.share - count(HEADINGS[section.kind] + _SEPARATOR) - 1
        whole = _SEPARATOR.join(section.entries)
        if section.share >= section.wanted:
            return whole
        if room < _LEAST_ENTRY:
            cuts.append(self._cut(section.kind, f"all of {_entries(len(section.entries))}", whole, ""))
            return ""
        if section.kind == "history":
            return self._history(section.entries, room, cuts)
        return self._latest_shortened(section, room, cuts)

    def _latest_shortened(self, section: _Section, room: int, cuts: list[Cut]) -> str:
        """Every entry condensed to its share; entries that would get too little are left out, last first."""
        entries = section.entries
        keep = max(1, min(len(entries), room // (_LEAST_ENTRY + _POINTER_TOKENS)))
        kept: list[str] = []
        left = room
        for index, entry in enumerate(entries[:keep]):
            share = left // (keep - index)
            if count(entry) + 1 <= share:
                kept.append(entry)
            else:
                kept.append(self._shortened(section.kind, entry, share - 1, cuts))
            left -= count(kept[-1]) + 1
        if keep < len(entries):
            rest = entries[keep:]
            cuts.append(self._cut(section.kind, f"the last {_entries(len(rest))}", _SEPARATOR.join(rest), ""))
        return _SEPARATOR.join(text for text in kept if text)

    def _shortened(self, kind: Kind, entry: str, room: int, cuts: list[Cut]) -> str:
        """One entry condensed, with a pointer to all of it where the room allows."""
        cut = self._cut(kind, _first_words(entry), entry, "")
        pointer = f"[in full: {cut.artifact}]"
        with_pointer = room - count(pointer + _SEPARATOR)
        if with_pointer >= _LEAST_ENTRY:
            text = condense_text(entry, with_pointer).text + _SEPARATOR + pointer
        else:
            text = condense_text(entry, max(1, room)).text
        cuts.append(cut.model_copy(update={"tokens_after": count(text)}))
        return text

    def _history(self, entries: list[str], room: int, cuts: list[Cut]) -> str:
        """The newest entries as they are, older ones as one summary. A summary is never summarised again."""
        newest: list[str] = []
        used = 0
        # half for the newest, a quarter for summaries there are, a quarter for a new one
        reserve = max(_POINTER_TOKENS + _LEAST_ENTRY, room // 4)
        for entry in reversed(entries):
            tokens = count(entry + _SEPARATOR)
            if used + tokens > room - 2 * reserve:
                break
            newest.insert(0, entry)
            used += tokens
        older = entries[: len(entries) - len(newest)]
        done = [entry for entry in older if MARK.match(entry)]
        fresh = [entry for entry in older if not MARK.match(entry)]
        left = room - used
        kept_summaries: list[str] = []
        for entry in reversed(done):
            tokens = count(entry + _SEPARATOR)
            if tokens > left - (reserve if fresh else 0):
                break
            kept_summaries.insert(0, entry)
            left -= tokens
        # summaries that no longer fit are moved as they stand, not worded anew
        moved = done[: len(done) - len(kept_summaries)]
        if not fresh and not moved:
            return _SEPARATOR.join([*kept_summaries, *newest])
        summary = self._summary(moved, fresh, min(left, reserve) - 1, cuts)
        return _SEPARATOR.join(text for text in [*kept_summaries, summary, *newest] if text)

    def _summary(self, moved: list[str], fresh: list[str], room: int, cuts: list[Cut]) -> str:
        full = _SEPARATOR.join([*moved, *fresh])
        number = len(fresh) + sum(int(match[1]) for entry in moved if (match := MARK.match(entry)))
        cut = self._cut("history", f"the oldest {_entries(number)}", full, "")
        mark = (
            f"[summary of {number} earlier {'entry' if number == 1 else 'entries'}, in full: {cut.artifact}]"
        )
        body_room = room - count(mark + _SEPARATOR)
        if body_room < 0:
            cuts.append(cut)
            return ""
        text = mark
        if fresh and body_room >= _LEAST_ENTRY:
            body = self._worded(fresh, body_room)
            text = f"{mark}{_SEPARATOR}{body}" if body else mark
        cuts.append(cut.model_copy(update={"tokens_after": count(text)}))
        return text

    def _worded(self, fresh: list[str], room: int) -> str:
        """Older history in few words: the model's, when it keeps to the room; else every entry condensed."""
        if self.ask is not None:
            reply = self.ask(condense_text(_SEPARATOR.join(fresh), self.budget).text)
            worded = self.redact(reply).strip() if reply else ""
            if worded and not MARK.search(worded) and count(worded) <= room:
                return worded
        shown = fresh[-max(1, room // _LEAST_ENTRY) :]
        lines = [f"- {condense_text(entry, max(1, room // len(shown) - 4)).text}" for entry in shown]
        while lines and count(_SEPARATOR.join(lines)) > room:
            lines.pop(0)
        return _SEPARATOR.join(lines)

    def _cut(self, kind: Kind, what: str, full: str, after: str) -> Cut:
        ref = self.artifacts.put(full.encode("utf-8", errors="replace"), f"{kind}.txt", private=True)
        return Cut(
            kind=kind, what=what, tokens_before=count(full), tokens_after=count(after), artifact=ref.uri
        )


def _as_it_is(text: str) -> str:
    return text


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _first_words(entry: str) -> str:
    line = next((line.strip() for line in entry.splitlines() if line.strip()), "")
    return line if len(line) <= 60 else line[:59] + "…"  # noqa: PLR2004


def _shared(sections: list[_Section], room: int) -> list[_Section]:
    """Give every section what it wants, or its weighted share; what one leaves goes to the others."""
    open_sections = list(sections)
    left = max(0, room)
    while open_sections:
        weight = sum(_WEIGHTS[s.kind] for s in open_sections)
        content = [s for s in open_sections if s.wanted <= left * _WEIGHTS[s.kind] // weight]
        if not content:
            for section in open_sections:
                section.share = left * _WEIGHTS[section.kind] // weight
            break
        for section in content:
            section.share = section.wanted
            left -= section.wanted
            open_sections.remove(section)
    return sections
