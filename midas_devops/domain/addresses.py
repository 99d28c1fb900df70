"""Addresses of resources as Terraform writes them."""

from __future__ import annotations

import re
from functools import lru_cache

_INSTANCE = r'(?:\[(?:-?\d+|"(?:[^"\\]|\\.)*")\])?'


def type_of(address: str) -> str:
    """The resource type in an address such as ``module.a["x.y"].aws_instance.web[0]``."""
    parts = split_address(address)
    while len(parts) > 2 and parts[0] == "module":  # noqa: PLR2004 - "module", its name, and what is in it
        parts = parts[2:]
    return parts[0].split("[")[0] if parts else ""


def split_address(address: str) -> list[str]:
    """The dotted parts of an address; dots in a quoted instance key do not separate."""
    parts, start, quoted, position = [], 0, False, 0
    while position < len(address):
        character = address[position]
        if quoted and character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append(address[start:position])
            start = position + 1
        position += 1
    parts.append(address[start:])
    return parts


def declared(address: str) -> str:
    """The address of the block that declares an object: without instance keys."""
    return ".".join(part.split("[")[0] for part in split_address(address)) if "[" in address else address


def matches(address: str, pattern: str) -> bool:
    """Whether an address glob covers an address.

    ``*`` stands for any characters and ``?`` for one; brackets are those of the address. A pattern covers
    every instance of what it names (``aws_s3_bucket.logs`` → ``aws_s3_bucket.logs["eu"]``) and everything in
    a module or of a type that it names. A pattern that does not begin with ``module.`` holds inside every
    module too: ``aws_db_instance.*`` protects databases wherever they are declared.
    """
    return bool(pattern.strip()) and compiled(pattern.strip()).fullmatch(address) is not None


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """An address glob as a pattern for ``fullmatch``; see :func:`matches`."""
    parts = []
    for part in split_address(pattern):
        glob = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in part)
        parts.append(glob if part.endswith("]") else glob + _INSTANCE)
    anywhere = "" if pattern.startswith("module.") else r"(?:module\..*\.)?"
    return re.compile(anywhere + r"\.".join(parts) + r"(?:\..*)?", re.DOTALL)
