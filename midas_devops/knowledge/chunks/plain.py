"""Pipelines, logs and any other text: pieces that end where the writer made a break."""

from __future__ import annotations

import re
from collections.abc import Iterator

from midas_devops.knowledge.chunks.lines import Piece, Span, join_small, pieces

_STAGE = re.compile(r"""\s*stage\s*\(\s*['"]([^'"]*)""")
_YAML_KEY = re.compile(r"""( *)(?:- )?['"]?([\w./ -]+?)['"]?:(?:\s|$)""")
_LOG_BREAK = re.compile(
    r"##\[(?:group|section)\]|::group::|\[Pipeline\] (?:stage|\{)|=+ .* =+$|(?:Traceback|Caused by:|Error:)"
)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z? ?")
_CONTAINERS = {"jobs", "stages", "steps"}


def chunk_text(lines: list[str], where: str) -> Iterator[Piece]:
    """Paragraphs, packed."""
    yield from pieces(lines, (0, len(lines)), where)


def chunk_log(lines: list[str], where: str) -> Iterator[Piece]:
    """Windows of a log that begin at a step, a group or an error where they can."""
    breaks = {n for n, line in enumerate(lines) if _LOG_BREAK.match(_TIMESTAMP.sub("", line, count=1))}
    yield from pieces(lines, (0, len(lines)), where, breaks)


def chunk_jenkinsfile(lines: list[str], where: str) -> Iterator[Piece]:
    """One piece per stage."""
    starts = [(n, f"stage {match.group(1)}") for n, line in enumerate(lines) if (match := _STAGE.match(line))]
    yield from _named(lines, starts, where)


def chunk_yaml(lines: list[str], where: str) -> Iterator[Piece]:
    """One piece per top-level key, and one per job where the key holds jobs; short keys together."""
    starts: list[tuple[int, str]] = []
    inside, depth = "", 0
    for number, line in enumerate(lines):
        match = _YAML_KEY.match(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        indent, key = len(match.group(1)), match.group(2)
        if indent == 0 and not line.startswith("-"):
            inside, depth = key, 0
            starts.append((number, key))
        elif inside in _CONTAINERS and not line.lstrip().startswith("-"):
            depth = depth or indent
            if indent == depth:
                starts.append((number, f"{inside} {key}"))
    yield from _named(lines, starts, where)


def _named(lines: list[str], starts: list[tuple[int, str]], where: str) -> Iterator[Piece]:
    """Pieces of the spans that begin at ``starts``; one that names a job or a stage is kept apart."""
    if not starts:
        yield from chunk_text(lines, where)
        return
    bounds = [0, *(number for number, _ in starts[1:]), len(lines)]
    spans: list[tuple[Span, str]] = []
    for index, (_, name) in enumerate(starts):
        group = "" if " " in name else "top"
        spans.append(((bounds[index], bounds[index + 1]), group))
    titles = dict(starts)
    for span, _ in join_small(lines, spans):
        inside = [name for number, name in titles.items() if span[0] <= number < span[1]]
        yield from pieces(lines, span, f"{where}: {', '.join(inside)[:300]}")
