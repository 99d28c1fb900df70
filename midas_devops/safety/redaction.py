"""One redactor stands in front of everything we write (rule 8)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from midas_devops.config import Settings
from midas_devops.safety.encodings import KnownValue
from midas_devops.safety.environment import withheld_names
from midas_devops.safety.key_blocks import KIND as PRIVATE_KEY
from midas_devops.safety.key_blocks import KeyBlocks, find_key_blocks
from midas_devops.safety.literals import Literals
from midas_devops.safety.secret_names import (
    holds_secret,
    in_environment_holds_secret,
    number_is_harmless,
)
from midas_devops.safety.shapes import find_shapes

SHORTEST = 8
"""Characters. Shorter values stand in ordinary text too often to be hidden everywhere."""
_BATCH = 1 << 16
_LINE_OF_A_SECRET = 16
"""Characters. From here on, single lines of a secret of several lines are hidden on their own too."""


class Redactor:
    """Hides secrets by value, by name and by shape as ``[redacted:kind]``. Any thread may use it.

    Line breaks stay where they are, so that line numbers of a redacted text are those of the raw one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._needles: tuple[tuple[str, KnownValue], ...] = ()
        self._literals: tuple[object, Literals] = (self._needles, Literals())
        self._values: set[str] = set()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], settings: Settings) -> Redactor:
        """Knows every variable whose name promises a secret, and those that midas.toml names as keys.

        The name of an environment is none: a run that hid it could not be carried on.
        """
        redactor = cls()
        named = set(withheld_names(settings))
        redactor.learn(
            (
                value
                for name, value in environ.items()
                if (name in named or in_environment_holds_secret(name))
                and value.strip() not in settings.environments
            ),
            kind="environment",
        )
        return redactor

    def learn(self, values: Iterable[str], kind: str = "value") -> None:
        """Hide these values from now on, in every encoding. Values of less than 8 characters are left out."""
        fresh: list[KnownValue] = []
        with self._lock:
            for value in values:
                for part in _parts(value):
                    # A value that our own marker holds would be hidden in what hides it.
                    if part not in self._values and part not in f"[redacted:{kind}]":
                        self._values.add(part)
                        fresh.append(KnownValue(part, kind))
            self._needles += tuple((needle, known) for known in fresh for needle in known.needles)

    def text(self, text: str) -> str:
        """The text without secrets; the same object when it holds none."""
        if len(text) < SHORTEST:
            return text
        hidden = [(start, end, PRIVATE_KEY) for start, end in find_key_blocks(text)]
        return self._without_secrets(text, hidden)

    def lines(self, lines: Iterable[str]) -> Iterator[str]:
        """Redact a stream of lines in little memory. Holds back up to 64 K characters, for speed."""
        blocks = KeyBlocks()
        for batch in _batches(lines):
            ends = ["\n" if line.endswith("\n") else "" for line in batch]
            text = "\n".join(line.removesuffix("\n") for line in batch)
            hidden = [(start, end, PRIVATE_KEY) for start, end in find_key_blocks(text, blocks)]
            redacted = self._without_secrets(text, hidden)
            if redacted is text:
                yield from batch
            else:
                yield from map(str.__add__, redacted.split("\n"), ends)

    def _without_secrets(self, text: str, hidden: list[tuple[int, int, str]]) -> str:
        hidden.extend(find_shapes(text))
        needles = self._needles
        present = self._present(needles, text)
        found = {known: None for needle, known in needles if needle in present}
        hidden.extend((start, end, known.kind) for known in found for start, end in known.find(text))
        return _hide(text, hidden) if hidden else text

    def _present(self, needles: tuple[tuple[str, KnownValue], ...], text: str) -> set[str]:
        """Those needles that stand in the text. What to look for is made ready once for what was learned."""
        made_for, literals = self._literals
        if made_for is not needles:
            literals = Literals(needle for needle, _ in needles)
            self._literals = (needles, literals)
        return literals.present(text)

    def json(self, value: Any) -> Any:
        """A copy of a JSON value without secrets: in any text, at any key of such a name, and in the keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._key(key): self._at(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return value

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) else key

    def _at(self, key: Any, item: Any) -> Any:
        if isinstance(key, str) and holds_secret(key):
            return self._hidden(item, number_is_harmless(key))
        return self.json(item)

    def _hidden(self, item: Any, keep_numbers: bool) -> Any:
        """A value at a secret's name: every text in it goes, its structure stays."""
        if item is None or isinstance(item, bool) or item == "":
            return item
        if isinstance(item, Mapping):
            return {self._key(key): self._hidden(inner, keep_numbers) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [self._hidden(inner, keep_numbers) for inner in item]
        if isinstance(item, int | float) and keep_numbers:
            return item
        if isinstance(item, str) and item.startswith("[redacted:") and item.endswith("]"):
            return item
        return "[redacted:value]"


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parts(value: str) -> Iterator[str]:
    """The value as it is, without blanks around it, its long lines, and the secrets of a JSON document."""
    parts = [value.strip()]
    if "\n" in parts[0]:
        lines = (line.strip() for line in parts[0].splitlines())
        parts.extend(line for line in lines if len(line) >= _LINE_OF_A_SECRET)
    if parts[0].startswith("{"):
        parts.extend(_secrets_of_document(parts[0]))
    yield from (part for part in dict.fromkeys(parts) if len(part) >= SHORTEST)


def _secrets_of_document(text: str) -> Iterator[str]:
    """Values at secret names of a JSON document, such as a service account's key file in a variable."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    for key, item in document.items() if isinstance(document, dict) else ():
        if isinstance(item, str) and holds_secret(key):
            yield item


def _hide(text: str, hidden: list[tuple[int, int, str]]) -> str:
    """Replace every interval. Those that overlap go together, under the kind of the longest."""
    hidden.sort()
    pieces: list[str] = []
    at = 0
    start, end, kind = hidden[0]
    longest = end - start
    for next_start, next_end, next_kind in [*hidden[1:], (len(text) + 1, len(text) + 1, "")]:
        if next_start < end:
            if next_end - next_start > longest:
                kind, longest = next_kind, next_end - next_start
            end = max(end, next_end)
            continue
        marker = f"[redacted:{kind}]"
        breaks = text.count("\n", start, end)
        pieces += [text[at:start], "\n".join([marker] * (breaks + 1))]
        at, start, end, kind, longest = end, next_start, next_end, next_kind, next_end - next_start
    pieces.append(text[at:])
    return "".join(pieces)
