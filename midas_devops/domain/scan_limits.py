"""How many findings a scan may have, and which of them somebody answers for until a day."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Protocol
from urllib.parse import unquote

from midas_devops.domain.base import Value


class Found(Protocol):
    """Findings of one rule at one level in one file."""

    @property
    def rule(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def example(self) -> str: ...


class Exemption(Value):
    """Findings of one rule that a person answers for. ``until`` is the last day on which it holds, in UTC."""

    rule: str
    file: str = ""
    """Glob of the path; empty: any file."""
    reason: str
    until: date
    by: str

    @property
    def what(self) -> str:
        where = f" in {self.file}" if self.file else ""
        return f"{self.rule}{where}, by {self.by} until {self.until}: {self.reason}"


class ScanLimits(Value):
    """Most findings that still pass, per level and per rule, and what is set aside before counting."""

    max_findings: dict[str, int] = {}
    max_by_rule: dict[str, int] = {}
    exemptions: tuple[Exemption, ...] = ()


class Counted(Value):
    """What is left of a scan's findings, and why the rest is not counted."""

    excused: dict[str, int] = {}
    """Findings per level that an exemption took out."""
    by_rule: dict[str, int] = {}
    """Findings per rule that are left."""
    left: tuple[str, ...] = ()
    """The first ten that are left, described."""
    used: tuple[str, ...] = ()
    """One line per exemption that excused something."""
    expired: tuple[str, ...] = ()
    """One line per exemption that would have, and is over."""


MOST_NAMED = 10


def count_findings(found: Iterable[Found], exemptions: Iterable[Exemption], now: datetime) -> Counted:
    """Set aside what an exemption that still holds excuses. Without a rule's name nothing can be excused."""
    today = now.astimezone(UTC).date()
    excused: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    used: Counter[Exemption] = Counter()
    expired: Counter[Exemption] = Counter()
    left: list[str] = []
    listed = tuple(exemptions)
    for finding in found:
        fitting = [each for each in listed if _fits(each, finding)]
        holding = next((each for each in fitting if today <= each.until), None)
        if holding is not None:
            used[holding] += finding.count
            excused[finding.level] += finding.count
            continue
        by_rule[finding.rule] += finding.count
        left.append(finding.example)
        for over in fitting[:1]:
            expired[over] += finding.count
    return Counted(
        excused=dict(excused),
        by_rule=dict(by_rule),
        left=tuple(left[:MOST_NAMED]),
        used=tuple(f"exception: {each.what} ({number} excused)" for each, number in used.items()),
        expired=tuple(f"expired exception: {each.what} ({number} found)" for each, number in expired.items()),
    )


def _fits(exemption: Exemption, finding: Found) -> bool:
    if not finding.rule or finding.rule != exemption.rule:
        return False
    return not exemption.file or _matches(exemption.file, finding.file)


def _matches(glob: str, file: str) -> bool:
    # A path is compared as what it is: 'tests/../app.py' does not lie in tests.
    path = posixpath.normpath(unquote(file)) if file else ""
    return bool(path) and re.fullmatch(_expression(glob.removeprefix("./")), path) is not None


def _expression(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part) or re.escape(part) for part in parts)
