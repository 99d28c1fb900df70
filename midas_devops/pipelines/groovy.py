"""The block structure of a declarative Jenkinsfile. No Groovy parser: strings, comments and braces only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<string>'''(?:\\.|(?!''').)*'''
              |\"\"\"(?:\\.|(?!\"\"\").)*\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
  | (?P<open>[{(\[])
  | (?P<close>[})\]])
  | (?P<end>\n|;)
  | (?P<other>[^\s])
  | (?P<space>[^\S\n]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {"}": "{", ")": "(", "]": "["}


@dataclass
class Block:
    """``header { … }``. ``statements`` are the lines inside that open no block."""

    header: str
    line: int
    statements: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The word that opens it: ``stage``, ``steps``, ``post``."""
        found = re.match(r"[A-Za-z_]\w*", self.header)
        return found.group() if found else ""

    @property
    def argument(self) -> str:
        """The first string of the header: a stage's name."""
        found = re.search(r"""(['"])(.*?)\1""", self.header)
        return found.group(2) if found else ""

    def every(self, name: str) -> list[Block]:
        """All blocks of this name, at any depth, in order."""
        found = []
        for inner in self.blocks:
            found += ([inner] if inner.name == name else []) + inner.every(name)
        return found

    def child(self, name: str) -> Block | None:
        """The direct block of this name."""
        return next((inner for inner in self.blocks if inner.name == name), None)


def parse(text: str) -> Block:
    """The file as one block without a header. Raises ``ValueError`` with the line of what does not close."""
    root = Block("", 1)
    stack = [root]
    nesting: list[tuple[str, int]] = []
    words, line = "", 1
    for token in _TOKEN.finditer(text):
        kind, found = token.lastgroup, token.group()
        if kind == "open" and found == "{":
            block = Block(words.strip(), line)
            stack[-1].blocks.append(block)
            stack.append(block)
            nesting.append((found, line))
            words = ""
        elif kind == "close":
            if not nesting or nesting[-1][0] != _PAIRS[found]:
                raise ValueError(f"line {line}: '{found}' closes nothing")
            nesting.pop()
            if found == "}":
                _finish(stack.pop(), words)
                words = ""
            else:
                words += found
        elif kind == "end" and not (nesting and nesting[-1][0] in "(["):
            _finish(stack[-1], words)
            words = ""
        elif kind in ("other", "string", "open", "space"):
            if found in "'\"":
                raise ValueError(f"line {line}: a string does not end")
            words += found
            nesting += [(found, line)] if kind == "open" else []
        line += found.count("\n")
    if nesting:
        raise ValueError(f"line {nesting[-1][1]}: '{nesting[-1][0]}' is never closed")
    _finish(root, words)
    return root


def _finish(block: Block, words: str) -> None:
    if words.strip():
        block.statements.append(words.strip())


_PIPELINE = frozenset(
    {"agent", "environment", "libraries", "options", "parameters", "post", "stages", "tools", "triggers"}
)
_STAGE = frozenset(
    {
        "agent",
        "environment",
        "input",
        "matrix",
        "options",
        "parallel",
        "post",
        "stages",
        "steps",
        "tools",
        "when",
    }
)
_WORK = frozenset({"steps", "stages", "parallel", "matrix"})


def problems(text: str) -> list[str]:
    """What keeps a text from being a declarative pipeline, as far as its structure says."""
    try:
        root = parse(text)
    except ValueError as broken:
        return [str(broken)]
    pipelines = [block for block in root.blocks if block.name == "pipeline"]
    if len(pipelines) != 1:
        return [f"{len(pipelines)} blocks 'pipeline', expected one"]
    pipeline = pipelines[0]
    found = [
        f"line {b.line}: 'pipeline' has no section '{b.name}'"
        for b in pipeline.blocks
        if b.name not in _PIPELINE
    ]
    if not (pipeline.child("agent") or any(word.startswith("agent ") for word in pipeline.statements)):
        found.append("'pipeline' has no agent")
    stages = pipeline.every("stage")
    if not stages:
        found.append("'pipeline' has no stage")
    names = [stage.argument for stage in stages]
    found += [
        f"stage '{name}' stands there twice" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    for stage in stages:
        found += [
            f"line {block.line}: stage '{stage.argument}' has no section '{block.name}'"
            for block in stage.blocks
            if block.name not in _STAGE
        ]
        if sum(block.name in _WORK for block in stage.blocks) != 1:
            found.append(f"line {stage.line}: stage '{stage.argument}' needs one of steps, stages, parallel")
    return found
