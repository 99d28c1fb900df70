"""What one line of a log says about a failure: how strongly, of what kind, and whether as a consequence only.

Pure, and shared by condensing and diagnosis. ``suspicious`` is the cheap first look at raw bytes,
``signal_of`` the judgement of one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from midas_devops.context.rulebook import Rule, first_match, rules
from midas_devops.context.screen import Screen
from midas_devops.context.signal_patterns import CAPS, CAUSES, NOISE, WRAPPERS

SUSPICIOUS: Final = re.compile(
    rb"rror|RROR|ERR|ail|AIL|xcep|XCEP|atal|FATAL|anic|raceb|imed |IMED|ime(?:d|-)?out|TIMEOUT|enied|efuse"
    rb"|ot found|ot exist|annot|an't|ould not|nable|nvalid|llegal|orrupt|ismatch|nexpect|iolat|onflict"
    rb"|CONFLICT|xceed|issing|nsupp|NSUPP|nknown|ndefin|nresol|ncompat|nhealt|nreach"
    rb"|ot (?:allow|permit|suppo|valid|ready|set|avail|autho|in sync|up to date)"
    rb"|xpired|required|must |broken|eadlock"
    rb"|nterrupt|nsuffic|drift|ocked|ssert|illed|KILL|SIG[A-Z]{3}|core dum|egmentation|OOM|oom|emory|ENO|EAC"
    rb"|EADD|ECON|ETIM|ERES|space left|orbidden|uthori|uthent|redential|uota|QUOTA|ate limit|oo [Mm]any"
    rb"|o such |oo (?:large|long|old|big)|oes not "
    rb"|not formatted|not defined|not met|thing provides|could not be|disappeared"
    rb"|no \S+ entry|hould (?:be an?|impl|cont)"
    rb"|hrottl|esolve|eset|ackOff|ack-off|robe|victed|ejected|REJECT|ancel|bort|not ok|[Ee]xit |code |status"
    rb"|ARN|arn|ould (?:be )?reform|otFound|No (?:such|module|match|rule)|lready|EVERE|RITICAL|x509|SSL"
    rb"|hung up|\xe2|\.go:\d|_{3,} |(?:^|\s)E  |(?:^|\s)[A-Z]{1,4}\d{3,4}[ :]|:\d+:\d+: |  \d+\) "
    rb"|:\d+ (?:DL|SC|CKV)|>>> |What went wrong|[45]\d\d|eprecat|utdated|reshold|overage|rash"
    rb"|>> Issue|Diff in |vulnerab|CVE-|xhausted|took >",
    re.MULTILINE,
)
"""Where, in one raw line or a block of them, a judgement may be worth its cost. Over-inclusive by design."""

_ANSI: Final = re.compile(
    r"\x1b(?:\[[0-9;?:]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>()][0-9A-B]?)"
)
_SCRIPT_ECHO: Final = re.compile(r"^(?:\S+Z )?\x1b\[36;1m")
_TIMESTAMP: Final = re.compile(
    r"^(?:[^\t\n]{1,80}\t[^\t\n]{1,120}\t(?=\ufeff?\d{4}-))?\ufeff?(?:"
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?(?: \d\d[OE]\+?)?"
    r"|\[\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?(?=\s)"
    r"|\[?\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?\]?"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" [ \d]?\d \d\d:\d\d:\d\d(?: \d{4})?"
    r")(?:[ \t]|$)"
)
_KLOG: Final = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ")
_MARK: Final = re.compile(
    r"^(?:##\[(?P<dev>\w+)[^\]]*\]|::(?P<actions>error|warning|notice|debug|group|endgroup)(?: [^:]*)?::"
    r"|#\d+ (?:\d+\.\d+ )?|[\w-]+(?:[-_]\d+)? +\| (?=\S))"
)
_KLOG_LEVELS: Final = {"E": "error", "F": "error", "W": "warning", "I": ""}
_DECORATION: Final = frozenset("─━═-=_*~│|╷╵#. \t")
_LONG: Final = 4000
"""Characters; of longer lines the two ends are judged."""

CAUSE: Final = 5
ERROR: Final = 4
MENTION: Final = 3
HINT: Final = 2


@dataclass(frozen=True, slots=True)
class Signal:
    """The judgement of one line.

    ``strength``: 5 a cause by its form (``CAUSE``), 4 a statement of an error, 3 a mention of failure, 2 a
    warning or a weak hint, 1 source code or an echoed command with such words, 0 nothing.
    """

    strength: int
    kind: str = ""
    """``compiler``, ``test``, ``auth``…: the rule that decided, as in ``signal_patterns.CAUSES``."""
    is_wrapper: bool = False
    """A consequence of an earlier failure (``Process completed with exit code 1``): never the cause."""


SILENT: Final = Signal(0)


class _Table:
    """Rules in their order, behind a screen."""

    def __init__(self, table: Iterable[Rule]) -> None:
        self._rules = tuple(table)
        self._screen = Screen(rule.source for rule in self._rules)

    def first(self, text: str, low: str) -> Rule | None:
        """The first that matches; ``low`` is ``text.lower()``."""
        return first_match(self._rules, text, low) if self._screen.passes(text) else None


def _by_strength() -> tuple[tuple[int, _Table], ...]:
    tiers: dict[int, list[Rule]] = {}
    for rule in rules(CAUSES):
        strength, _, kind = rule.label.partition(":")
        tiers.setdefault(int(strength), []).append(Rule(rule.literal, rule.source, kind))
    return tuple((strength, _Table(tier)) for strength, tier in sorted(tiers.items(), reverse=True))


_WRAPPERS: Final = _Table(rules(WRAPPERS))
_NOISE: Final = _Table(rules(NOISE))
_TIERS: Final = _by_strength()
_CAPS: Final = _Table(sorted(rules(CAPS), key=lambda rule: int(rule.label)))


def clean(line: str) -> str:
    """The line as a person reads it: no colours, timestamp, byte order mark; a progress bar's last state."""
    if "\r" in line:
        line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    line = line.replace("\x00", "").rstrip().lstrip("\ufeff")
    stamp = _TIMESTAMP.match(line)
    return line[stamp.end() :].lstrip("\ufeff") if stamp else line


def bare(line: str) -> tuple[str, str]:
    """(mark, text): the cleaned line without its platform's mark (``error`` of ``##[error]``, klog's ``E``).

    A mark is lower case; empty when there is none.
    """
    return unmarked(clean(line))


def unmarked(text: str) -> tuple[str, str]:
    """As :func:`bare`, of a line that is clean."""
    klog = _KLOG.match(text)
    if klog:
        return _KLOG_LEVELS[klog[1]], text[klog.end() :]
    mark = _MARK.match(text)
    if mark:
        return mark["dev"] or mark["actions"] or "", text[mark.end() :]
    return "", text


def is_noise(line: str) -> bool:
    """Whether the line uses the words of failure to say that nothing failed."""
    stripped = bare(line)[1].strip(" │|╷╵\t")
    return _NOISE.first(stripped, stripped.lower()) is not None


def suspicious(line: bytes) -> bool:
    """Whether a raw line is worth a judgement: many false alarms, few misses."""
    return SUSPICIOUS.search(line) is not None


def signal_of(line: str) -> Signal:
    """Judge one line, raw or cleaned. Never raises; costs some microseconds."""
    if len(line) > _LONG:
        line = line[: _LONG // 2] + line[-_LONG // 2 :]
    if "\x1b[36;1m" in line and _SCRIPT_ECHO.search(line):
        return SILENT
    mark, text = bare(line)
    if mark in {"group", "command", "debug", "endgroup"}:
        return SILENT
    return _judge(mark, text)


@lru_cache(maxsize=1024)
def _judge(mark: str, text: str) -> Signal:
    stripped = text.strip(" │|╷╵\t")
    if not stripped or _DECORATION.issuperset(stripped):
        return SILENT
    low = stripped.lower()
    if _WRAPPERS.first(stripped, low):
        return Signal(MENTION if mark == "error" else HINT, "wrapper", is_wrapper=True)
    if mark not in {"error", "warning"} and _NOISE.first(stripped, low):
        return SILENT
    found = _strongest(text, stripped)
    if mark == "error":
        return found if found.strength >= ERROR else Signal(ERROR, found.kind or "error")
    if mark == "warning":
        return Signal(HINT, found.kind or "warning")
    if found.strength <= 1:
        return found
    cap = _CAPS.first(stripped, low)
    return Signal(int(cap.label), found.kind) if cap and int(cap.label) < found.strength else found


def _strongest(text: str, stripped: str) -> Signal:
    candidates = [(text, text.lower())] if text == stripped else [(t, t.lower()) for t in (text, stripped)]
    for strength, tier in _TIERS:
        for candidate, low in candidates:
            rule = tier.first(candidate, low)
            if rule:
                return Signal(strength, rule.label)
    return SILENT
