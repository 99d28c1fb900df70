"""Cut a source into pieces that make sense alone, each with its exact lines."""

from __future__ import annotations

from pathlib import PurePosixPath

from midas_devops.knowledge.chunks.hcl import chunk_hcl
from midas_devops.knowledge.chunks.kinds import environment_of, kind_of, provider_of
from midas_devops.knowledge.chunks.lines import MAX_CHARS, Piece, split_lines
from midas_devops.knowledge.chunks.markdown import chunk_markdown
from midas_devops.knowledge.chunks.plain import chunk_jenkinsfile, chunk_log, chunk_text, chunk_yaml

__all__ = ["MAX_CHARS", "Piece", "chunk_source", "environment_of", "kind_of", "provider_of", "split_lines"]

_MARKDOWN = {".md", ".markdown", ".mdx"}
_YAML = {".yml", ".yaml"}


def chunk_source(source: str, text: str) -> list[Piece]:
    """The pieces of a source, in order, disjoint, covering every line that is not blank.

    ``source`` is its path relative to the project and decides how it is read. Never raises for a text: a
    broken file is cut as well as can be.
    """
    lines = split_lines(text)
    kind = kind_of(source)
    suffix = PurePosixPath(source).suffix.lower()
    if kind == "terraform":
        found = chunk_hcl(lines, source)
    elif suffix in _MARKDOWN:
        found = chunk_markdown(lines, source)
    elif suffix in _YAML:
        found = chunk_yaml(lines, source)
    elif kind == "pipeline":
        found = chunk_jenkinsfile(lines, source)
    elif kind == "log":
        found = chunk_log(lines, source)
    else:
        found = chunk_text(lines, source)
    return list(found)
