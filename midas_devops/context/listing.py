"""Hundreds of failures in few tokens: what they have in common once, then what tells each from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from midas_devops.context.ranking import Failure
from midas_devops.context.signals import ERROR, bare
from midas_devops.context.tokens import count

_DECORATION: Final = re.compile(r"^(?:E +|_{3,} |\* |[●✗✕×] |- |> |\[ERROR\] |\[error\] |│ )+|(?: _{3,})$")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]{3,}|\d{2,}")
RARE: Final = 4
"""A word in so few failures tells them from the others."""
MIN_GROUP: Final = 3
REACH: Final = 40
"""Lines within which different kinds of statements are about one failure."""
_ALIKE: Final = 0.5
"""Share of equal words that makes two failures one group."""
_TELLING: Final = 0.9


@dataclass(slots=True)
class Listing:
    """The rendered lines, and which lines of the log they stand for."""

    lines: list[str]
    orders: list[int]
    left_out: int


@dataclass(slots=True)
class _Group:
    """Failures whose texts have the same words at most places."""

    template: list[str | None]
    rows: list[list[str]]
    orders: list[int]
    value: float
    heads: dict[int, str] = field(default_factory=dict)
    """By place: how all the words there begin."""

    def varying(self) -> list[int]:
        return [place for place, word in enumerate(self.template) if word is None]


def listable(found: list[Failure]) -> list[Failure]:
    """The distinct failures: no wrapper, and none that another's text already says."""
    strong = [f for f in _leads(found) if f.event.signal.kind != "traceback"]
    words = [set(_WORD.findall(f.text)) for f in strong]
    spread = Counter(word for group in words for word in group)
    holders: dict[str, list[int]] = {}
    for index, group in enumerate(words):
        for word in group:
            if spread[word] <= RARE:
                holders.setdefault(word, []).append(index)
    kept = []
    for index, failure in enumerate(strong):
        rare = [word for word in words[index] if spread[word] <= RARE]
        common = set(holders[rare[0]]).intersection(*(holders[w] for w in rare[1:])) if rare else set()
        if not any(_covers(words, other, index) for other in common):
            kept.append(failure)
    return kept


def _leads(found: list[Failure]) -> list[Failure]:
    """One for each run of statements of different kinds, as a test's name, its assertion and its place."""
    leads: list[Failure] = []
    run: list[Failure] = []
    for failure in found:
        signal = failure.event.signal
        if signal.strength < ERROR or signal.is_wrapper:
            continue
        far = run and failure.event.line.order - run[-1].event.line.order > REACH
        if run and (far or signal.kind == run[0].event.signal.kind):
            leads.append(_lead(run))
            run = []
        run.append(failure)
    return [*leads, _lead(run)] if run else leads


def _lead(run: list[Failure]) -> Failure:
    root = [f for f in run if f.text.lstrip().startswith("Caused by:")]
    return root[-1] if root else max(run, key=lambda f: (f.event.signal.strength, -f.event.line.order))


def _covers(words: list[set[str]], other: int, index: int) -> bool:
    """Whether ``other`` says more than ``index``; of two equals the earlier stays."""
    here, there = len(words[index]), len(words[other])
    return other != index and (
        there > here or (there == here and other < index and words[other] == words[index])
    )


def core(text: str) -> str:
    """A failure's text without marks and decoration."""
    return _DECORATION.sub("", bare(text)[1].strip()).strip()


def listing(found: list[Failure], budget: int, redact: Callable[[str], str]) -> Listing:
    """As many of the failures as fit, fairly over their groups."""
    groups = _grouped(found, redact)
    spread = Counter(word for group in groups for row in group.rows for word in set(row))
    total = sum(len(group.rows) for group in groups)
    groups = [part for group in groups for part in _by_head(group, budget // max(1, total))]
    heads = [_header(group) for group in groups]
    overhead = sum(count(head) + 1 for head in heads)
    each = max(3, (budget - overhead) // max(1, total))
    bodies = [_items(group, each, spread) for group in groups]
    wanted = [
        sum(count(" " + item) + 1 for item in items) + count(head) + 1
        for head, items in zip(heads, bodies, strict=True)
    ]
    result = Listing([], [], 0)
    for group, head, items, share in zip(groups, heads, bodies, _shares(wanted, budget), strict=True):
        _write(result, group, head, items, share)
    return result


def _write(result: Listing, group: _Group, head: str, items: list[str], share: int) -> None:
    used = count(head) + 1 if head else 0
    written: list[str] = []
    for order, item in zip(group.orders, items, strict=True):
        # single words stand in a row, so that nothing but a space parts them
        cost = count(" " + item) + (1 if " " in item or not head else 0)
        if used + cost > share:
            break
        used += cost
        written.append(item)
        result.orders.append(order)
    result.left_out += len(items) - len(written)
    if not written:
        return
    if not head:
        result.lines += written
    elif any(" " in item for item in written):
        result.lines += [head, *(f" {item}" for item in written)]
    else:
        result.lines.append(f"{head} {' '.join(written)}")


def _grouped(found: list[Failure], redact: Callable[[str], str]) -> list[_Group]:
    """Groups of three and more by worth, then one of all the rest."""
    by_size: dict[tuple[str, int], list[_Group]] = {}
    for failure in found:
        row = core(redact(failure.text)).split()
        if not row:
            continue
        near = by_size.setdefault((failure.event.signal.kind, len(row)), [])
        best = max(near, key=lambda group: _likeness(group, row), default=None)
        if best is None or _likeness(best, row) < _ALIKE * len(row):
            best = _Group(list(row), [], [], failure.value)
            near.append(best)
        best.template = [a if a == b else None for a, b in zip(best.template, row, strict=True)]
        best.rows.append(row)
        best.orders.append(failure.event.line.order)
        best.value = max(best.value, failure.value)
    groups = [group for near in by_size.values() for group in near]
    big = [group for group in groups if len(group.rows) >= MIN_GROUP]
    rest = _Group([], [], [], 0.0)
    for group in sorted((g for g in groups if len(g.rows) < MIN_GROUP), key=lambda g: -g.value):
        rest.rows += group.rows
        rest.orders += group.orders
    return sorted(big, key=lambda g: -g.value) + ([rest] if rest.rows else [])


def _likeness(group: _Group, row: list[str]) -> int:
    # a text of one or two words, like a test's name, groups with any other of its kind
    if len(row) <= 2:  # noqa: PLR2004
        return len(row)
    return sum(a == b for a, b in zip(group.template, row, strict=True))


def _header(group: _Group) -> str:
    if not group.template:
        return ""
    template = " ".join(
        word if word is not None else group.heads.get(place, "") + "*"
        for place, word in enumerate(group.template)
    )
    template = re.sub(r"(?:\* ){2,}", "* ", template)
    template = template if len(template) <= 160 else template[:159] + "…"  # noqa: PLR2004
    return f"{len(group.rows)}× {template}:"


def _items(group: _Group, each: int, spread: Counter[str]) -> list[str]:
    """What tells each failure of the group from the others, within ``each`` tokens where that is possible."""
    if not group.template:
        return [_rarest(row, max(each, 8), spread) for row in group.rows]
    ranked, cost = _ranked(group)
    if not ranked:
        return [" ".join(row) for row in group.rows]
    shown, used = [ranked[0]], cost[ranked[0]]
    for place in ranked[1:]:
        if used + cost[place] + 1 <= each:
            shown.append(place)
            used += cost[place] + 1
    shown.sort()
    return [" ".join(row[p].removeprefix(group.heads.get(p, "")) for p in shown) for row in group.rows]


def _ranked(group: _Group) -> tuple[list[int], dict[int, float]]:
    """(the places that differ, the most telling for the fewest tokens first; what each costs on average)."""
    varying = group.varying()
    sample = group.rows[:: max(1, len(group.rows) // 40)]
    cost = {
        p: sum(count(" " + row[p].removeprefix(group.heads.get(p, ""))) for row in sample) / len(sample)
        for p in varying
    }
    telling = {p: len({row[p] for row in group.rows}) / len(group.rows) for p in varying}
    return sorted(varying, key=lambda p: (telling[p] < _TELLING, _is_number(group, p), cost[p], p)), cost


def _by_head(group: _Group, each: int) -> list[_Group]:
    """Where names are too long to be said in full: a group for each beginning that several share (a file)."""
    ranked, cost = _ranked(group) if group.template else ([], {})
    if not ranked or cost[ranked[0]] < each:
        return [group]
    place = ranked[0]
    parts: dict[str, _Group] = {}
    for row, order in zip(group.rows, group.orders, strict=True):
        word = row[place]
        head = word[: max(word.rfind(mark, 0, -1) for mark in ("::", "/", ".", "[", "(", "=")) + 1]
        head += ":" if word.startswith(head + ":") else ""
        part = parts.setdefault(head, _Group(list(group.template), [], [], group.value, {place: head}))
        part.rows.append(row)
        part.orders.append(order)
    saved = sum(count(head) * len(part.rows) for head, part in parts.items())
    spent = sum(count(_header(part)) + 1 for part in parts.values())
    return list(parts.values()) if saved > spent else [group]


def _is_number(group: _Group, place: int) -> bool:
    """A column of bare numbers tells less than one of names."""
    return all(row[place].strip("()[]#:,.").isdigit() for row in group.rows[:8])


def _rarest(row: list[str], tokens: int, spread: Counter[str]) -> str:
    """The row, or as many of its words as fit, the rarest first, in their order."""
    text = " ".join(row)
    if count(text) <= tokens:
        return text
    kept: set[int] = set()
    for place in sorted(range(len(row)), key=lambda p: (spread[row[p]], p)):
        trial = _joined(row, kept | {place})
        if kept and count(trial) > tokens:
            continue
        kept.add(place)
    return _joined(row, kept)


def _joined(row: list[str], places: set[int]) -> str:
    parts: list[str] = []
    last = -1
    for place in sorted(places):
        parts.append(("…" if place != last + 1 else "") + row[place])
        last = place
    return " ".join(parts) + ("…" if last != len(row) - 1 else "")


def _shares(wanted: list[int], budget: int) -> list[int]:
    """Split a budget: small wishes in full, the rest in equal parts."""
    shares = [0] * len(wanted)
    left = budget
    for rank, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[index] = min(wanted[index], left // (len(wanted) - rank))
        left -= shares[index]
    return shares
