"""What a drafted Terraform configuration may hold before an engine reads it (rule 6).

Planning runs code: external data sources, functions that read files, modules from anywhere. A model's text
gets none of it. The draft is parsed by ``python-hcl2``; what is not on the list is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MOST_FILES = 5
MOST_BYTES = 50_000
_FILE_NAME = re.compile(r"(?!.*(?:^|_)override\.tf$)[A-Za-z0-9][\w-]*\.tf")
_BLOCKS = frozenset({"resource", "module", "variable", "output", "locals"})
_NESTED = frozenset({"provisioner", "connection"})
_READS_FILES = re.compile(r"\b(?:file\w*|templatefile|templatestring|pathexpand|abspath)\s*\(")
_LOCAL = re.compile(r"\.{1,2}/[\w./-]*")


def refusal(files: Mapping[str, str], types: Collection[str]) -> str:
    """Why the draft may not be tried, as a sentence; empty when it may. ``types``: those it may use."""
    if not files:
        return "it has no files"
    if len(files) > MOST_FILES:
        return f"it has {len(files)} files, {MOST_FILES} are allowed"
    for name, text in files.items():
        if not _FILE_NAME.fullmatch(name):
            return "a file name is not allowed"
        if len(text.encode()) > MOST_BYTES:
            return f"{name} is larger than {MOST_BYTES} bytes"
        if why := _refused(text, types):
            return f"{name}: {why}"
    return ""


def _refused(text: str, types: Collection[str]) -> str:
    import hcl2
    from lark.exceptions import LarkError

    if _READS_FILES.search(text):
        return "it calls a function that reads files"
    try:
        document = hcl2.loads(text)
    except (LarkError, ValueError, RecursionError, TypeError):
        return "it is no HCL that can be read"
    kinds = {kind for kind in document if not kind.startswith("__")}
    if more := sorted(kinds - _BLOCKS):
        return f"it has a block '{more[0]}'"
    if any(key in _NESTED for key in _keys(document)):
        return "it has a provisioner"
    for declared in document.get("resource", ()):
        for kind in map(_bare, declared):
            if not kind.startswith("__") and kind not in types:
                return f"it has a resource of the type '{kind}', which nobody asked for"
    for declared in document.get("module", ()):
        for name, body in declared.items():
            if not name.startswith("__") and not _LOCAL.fullmatch(_bare(str(body.get("source", "")))):
                return "it has a module that is not in the project"
    return ""


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from _keys(below)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)


def _bare(quoted: str) -> str:
    return quoted.strip('"')
