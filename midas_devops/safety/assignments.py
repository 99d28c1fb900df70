"""``NAME = value`` in ordinary text, where the name promises a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from midas_devops.safety.encodings import Interval
from midas_devops.safety.secret_names import holds_secret

_SHORTEST_BARE = 6
"""Characters that a value without quotes needs; shorter ones are ordinary words."""
_WORDS = ("passw", "passphrase", "pwd", "secret", "token", "credential", "key")
# One search for each word: each begins with a plain character, and is several times faster than one for all.
_CANDIDATES = tuple(map(re.compile, _WORDS))
_CANDIDATE_ANY_CASE = re.compile("|".join(_WORDS), re.IGNORECASE)
_NAME_BEFORE = re.compile(r"[\w.-]*\Z")
_NAME_REACHES = 80

_ASSIGNMENT = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]{1,60})"
    r"(?:\\{0,4}[\"'`])?\]?"
    r"(?P<sign>[ \t]{0,20}(?::=|=>|[:=])[ \t]{0,20})"
    r"(?:\\{0,4}(?P<quote>[\"'`]))?"
    r"(?P<s>(?(quote)(?:(?!\\{0,4}(?P=quote))[^\n]){4,4096}|[^\s,;&\"'`)\]}]{4,4096}))"
)
# Where the value is to be found, instead of the value: an expression, a template, a call, a mask.
_REFERENCE = re.compile(
    r"(?:var|local|data|module|each|self|path|count|terraform|env|secrets|vars|inputs|steps|github|needs"
    r"|process|os|config|settings|ctx|context|args|opts|options|params|req|request|this)[.\[]"
    r"|[a-z][a-z0-9]*_[a-z0-9_]+\.[a-z_]"
    r"|[$%<({\[*&|!@]"
    r"|[A-Za-z_][\w.]*\("
)
_NO_VALUE = re.compile(
    r"(?:null|none|true|false|undefined|nil|empty|string|number|boolean|object|unset|missing|invalid|required"
    r"|optional|expired|unknown|hidden|redacted|masked|sensitive|changed|default)\Z|redacted:|sensitive",
    re.IGNORECASE,
)


def find_assignments(text: str, lowered: str) -> Iterator[Interval]:
    """Where the assigned secrets stand. ``lowered`` is the text in lower case."""
    # Lower case of some letters is longer than the letter; then places in the two texts do not agree.
    candidates: Iterator[re.Match[str]]
    if len(lowered) == len(text):
        candidates = chain.from_iterable(word.finditer(lowered) for word in _CANDIDATES)
    else:
        candidates = _CANDIDATE_ANY_CASE.finditer(text)
    for candidate in candidates:
        match = _ASSIGNMENT.match(text, candidate.start())
        if match and _is_secret(match):
            yield match.span("s")


def _is_secret(match: re.Match[str]) -> bool:
    value: str = match["s"]
    before = _NAME_BEFORE.search(match.string, max(0, match.start() - _NAME_REACHES), match.start())
    name = (before[0] if before else "") + match["name"]
    if _REFERENCE.match(value) or _NO_VALUE.match(value) or not holds_secret(name.rstrip("-._")):
        return False
    if match["quote"]:
        return True
    if len(value) < _SHORTEST_BARE:
        return False
    # Bare words after a colon may be prose ("password: incorrect"); a secret mixes kinds of characters.
    return ":" not in match["sign"] or (not value.isdigit() and any(map(str.isdigit, value)))
