"""What a model may say of a failure, and what of it is kept: only what quotes lines that exist (rule 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from midas_devops.domain.evidence import Category, Diagnosis, Span

SURE = 0.7
"""Confidence of the rules from which a model may explain but no longer rank."""

_MOST_CLAIMS = 8
_MOST_LINES = 20
_LONGEST = 400
_LEAST_QUOTED = 4
"""Letters and digits that a quotation needs: less of it stands anywhere."""

_CUT = re.compile(r"^… (?P<count>[\d,]+) lines? cut \((?P<first>\d+)(?:–(?P<last>\d+))?\) …$")
_APPENDIX = re.compile(r"^(?:also failed, in the lines cut \(\d+\):|repeated in the lines cut:)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


class Claim(BaseModel):
    """One cause, with the words that carry it."""

    text: str = Field(description="The cause, in one sentence")
    source: str = Field(description="Where it stands: the source in square brackets above the evidence")
    first_line: int = Field(description="First line quoted, as numbered in the full text")
    last_line: int = Field(description="Last line quoted")
    quote: str = Field(description="The words that stand there, unchanged")


class ModelDiagnosis(BaseModel):
    """A model's reading of the evidence. It explains and ranks; it decides nothing."""

    category: Category
    summary: str = Field(default="", description="What went wrong, in one sentence")
    causes: list[Claim] = Field(default_factory=list)
    remedies: list[str] = Field(
        default_factory=list, description="The remedies of the rules, the most fitting first"
    )


def check_claims(
    claims: Sequence[Claim], texts: Mapping[str, str]
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """(kept, dropped). A claim is kept when its quote stands in its source, on lines that fit its numbers.

    ``texts``: source → condensed text, as ``context.condense`` writes it. Kept claims carry the line numbers
    of the quote itself where the text tells them exactly.
    """
    numbered = {source: _numbered(text) for source, text in texts.items()}
    kept: list[Claim] = []
    dropped: list[Claim] = []
    for claim in claims:
        checked = _checked(claim, numbered) if len(kept) < _MOST_CLAIMS else None
        if checked is None:
            dropped.append(claim)
        else:
            kept.append(checked)
    return tuple(kept), tuple(dropped)


def merge_advice(rule_diagnosis: Diagnosis, advice: ModelDiagnosis, texts: Mapping[str, str]) -> Diagnosis:
    """The rules' diagnosis with what a model could prove.

    Where the rules are sure (``SURE``), a model adds causes. Where they are not, it also ranks and names the
    category. It never makes a failure retryable, and adds no remedy: it may only order those of the rules.
    """
    kept, dropped = check_claims(advice.causes, texts)
    rules = rule_diagnosis.model_copy(update={"dropped_claims": rule_diagnosis.dropped_claims + len(dropped)})
    if not kept:
        return rules
    explained = tuple(_sentence(claim) for claim in kept)
    quoted = tuple(_span(claim) for claim in kept)
    sure = rules.verdict == "conclusive" and rules.confidence >= SURE
    update: dict[str, object] = {"remedies": _ranked(rules.remedies, advice.remedies)}
    if sure:
        update["causes"] = _once((*rules.causes, *explained))
        update["spans"] = _apart((*rules.spans, *quoted))
        return rules.model_copy(update=update)
    agreed = advice.category is rules.category
    update["causes"] = _once((*explained, *rules.causes))
    update["spans"] = _apart((*quoted, *rules.spans))
    if advice.category is not Category.UNKNOWN:
        update["category"] = advice.category
        update["summary"] = f"{_flat(kept[0].text)} (line {kept[0].first_line})"
        update["retryable"] = rules.retryable and agreed
        update["confidence"] = max(rules.confidence, 0.6 if agreed else 0.5)
        update["verdict"] = "conclusive"
    return rules.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A shown line and the numbers it may have in the full text."""

    words: str
    least: int
    most: int


def _numbered(text: str) -> list[_Numbered]:
    """Every line of the log that the text shows. Marks of cut lines say where those around them stand."""
    shown: list[_Numbered] = []
    block: list[str] = []
    start = 1
    for line in text.split("\n"):
        cut = _CUT.match(line)
        if cut and _fits(cut, start, len(block)):
            first = int(cut["first"])
            shown += _block(block, start, first - 1)
            block, start = [], int(cut["last"] or cut["first"]) + 1
        elif _APPENDIX.match(line):
            # What follows is folded: words out of many lines, without their numbers.
            break
        elif line != "…":
            block.append(line)
    return shown + _block(block, start, start + len(block) - 1)


def _fits(cut: re.Match[str], start: int, shown: int) -> bool:
    """Whether a mark is ours: a log may hold a line that looks like one."""
    first = int(cut["first"])
    last = int(cut["last"] or first)
    return last - first + 1 == int(cut["count"].replace(",", "")) and start <= first <= start + shown


def _block(block: list[str], first: int, last: int) -> list[_Numbered]:
    """Lines between two marks. A long line may be shown in parts: more of them than there are numbers."""
    spare = max(0, len(block) - (last - first + 1))
    return [
        _Numbered(_normal(line), max(first, first + at - spare), min(last, first + at))
        for at, line in enumerate(block)
    ]


def _checked(claim: Claim, numbered: Mapping[str, list[_Numbered]]) -> Claim | None:
    source = claim.source.strip().removeprefix("[").removesuffix("]")
    lines = numbered.get(source)
    parts = [part for part in (_normal(part.strip("… ")) for part in claim.quote.split("\n")) if part]
    if lines is None or not claim.text.strip() or not parts:
        return None
    if sum(char.isalnum() for part in parts for char in part) < _LEAST_QUOTED:
        return None
    if not 1 <= claim.first_line <= claim.last_line < claim.first_line + _MOST_LINES:
        return None
    for at in range(len(lines)):
        place = _place(lines, at, parts)
        if place is None or place[0] > claim.last_line or place[1] < claim.first_line:
            continue
        first, last, exact = place
        if not exact or last - first >= _MOST_LINES:
            first, last = claim.first_line, claim.last_line
        return claim.model_copy(update={"source": source, "first_line": first, "last_line": last})
    return None


def _place(lines: list[_Numbered], at: int, parts: list[str]) -> tuple[int, int, bool] | None:
    """(first line, last line, exact) of a quotation that begins in ``lines[at]``; None when it does not."""
    here = lines[at]
    if len(parts) == 1:
        found = _stands_in(parts[0], here.words)
        return (here.least, here.most, here.least == here.most) if found else None
    first = at
    for number, part in enumerate(parts):
        while number and at < len(lines) and not lines[at].words:
            at += 1
        if at >= len(lines) or not _stands_in(part, lines[at].words):
            return None
        end = at
        at += 1
    exact = here.least == here.most and lines[end].least == lines[end].most
    return lines[first].least, lines[end].most, exact


def _stands_in(part: str, words: str) -> bool:
    """Whether the quotation stands there as whole words."""
    at = words.find(part)
    while at >= 0:
        end = at + len(part)
        opens = at == 0 or not (words[at - 1].isalnum() and part[0].isalnum())
        closes = end == len(words) or not (words[end].isalnum() and part[-1].isalnum())
        if opens and closes:
            return True
        at = words.find(part, at + 1)
    return False


def _normal(text: str) -> str:
    return " ".join(text.split())


def _flat(text: str) -> str:
    """One line for a terminal or a report: no control characters, not too long."""
    flat = _normal(_CONTROL.sub(" ", text))
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1].rstrip() + "…"


def _sentence(claim: Claim) -> str:
    return f"{_flat(claim.text)} (lines {claim.first_line}-{claim.last_line})"


def _span(claim: Claim) -> Span:
    quote = "\n".join(_CONTROL.sub(" ", part) for part in claim.quote.strip("\n").split("\n"))
    return Span(file=claim.source, first_line=claim.first_line, last_line=claim.last_line, text=quote)


def _once(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _apart(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Spans that do not overlap an earlier one, except that a longer quotation of the same lines wins."""
    chosen: list[Span] = []
    for span in spans:
        over = [at for at, other in enumerate(chosen) if _overlap(span, other)]
        if not over:
            chosen.append(span)
        elif len(over) == 1 and _within(chosen[over[0]], span):
            chosen[over[0]] = span
    return tuple(chosen)


def _overlap(one: Span, other: Span) -> bool:
    return one.file == other.file and one.first_line <= other.last_line and other.first_line <= one.last_line


def _within(inner: Span, outer: Span) -> bool:
    return outer.first_line <= inner.first_line and inner.last_line <= outer.last_line


def _ranked(remedies: tuple[str, ...], advised: Sequence[str]) -> tuple[str, ...]:
    """The rules' remedies in the order a model advises. What is not theirs is left out (rule 6)."""
    wanted = [_normal(text).rstrip(".").lower() for text in advised]
    places = {text: at for at, text in reversed(list(enumerate(wanted)))}
    last = len(wanted)
    return tuple(sorted(remedies, key=lambda one: places.get(_normal(one).rstrip(".").lower(), last)))
