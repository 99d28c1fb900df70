# ruff: noqa: E501, ISC004 - the lines of logs are long
"""The labelled logs as bytes with their labels, and long logs with hundreds of distinct failures."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.labelled_logs.noise import KINDS, WORDS, noise

CASES = Path(__file__).with_name("cases.txt")


@dataclass(frozen=True)
class Labelled:
    """A log and the lines (1-based) that say why it failed: one, or any that is as good."""

    name: str
    raw: bytes
    line: int
    also: tuple[int, ...]
    encoding: str = "utf-8"


def _stamp(kind: str, index: int) -> str:
    second, minute = index % 60, index // 60 % 60
    return {
        "gha": f"2026-03-04T10:{minute:02d}:{second:02d}.{index * 7919 % 10000000:07d}Z ",
        "jenkins": f"[2026-03-04T10:{minute:02d}:{second:02d}.{index * 7919 % 1000:03d}Z] ",
        "syslog": f"Mar  4 10:{minute:02d}:{second:02d} ",
        "none": "",
    }[kind]


def short_logs() -> list[Labelled]:
    """Every case of cases.txt."""
    logs: list[Labelled] = []
    for block in CASES.read_text(encoding="utf-8").split("\n== ")[1:]:
        head, _, body = block.partition("\n")
        name, stamp, encoding = head.split()
        r = random.Random(zlib.crc32(name.encode()))
        lines: list[str] = []
        line, also = 0, []
        for row in body.rstrip("\n").split("\n"):
            text = row.replace("\\e", "\x1b")
            kind, _, number = text.removeprefix("@").partition(" ")
            if text.startswith("@") and kind in KINDS:
                lines += noise(kind, int(number), r)
                continue
            if text.startswith("! "):
                line = len(lines) + 1
            elif text.startswith("~ "):
                also.append(len(lines) + 1)
            lines.append(text[2:] if text.startswith(("! ", "~ ")) else text)
        # runs go on after they failed: later steps, uploads, cleaning up
        kinds = [row[1:].split()[0] for row in body.split("\n") if row.startswith("@")] or ["jenkins"]
        lines += noise(r.choice(kinds), r.choice([0, 8, 30, 90, 250]), r)
        stamped = "\n".join(_stamp(stamp, i) + text for i, text in enumerate(lines)) + "\n"
        raw = stamped.encode("utf-16" if encoding == "utf-16" else encoding)
        logs.append(Labelled(name, raw, line, tuple(also), encoding))
    return logs


@dataclass(frozen=True)
class Long:
    """A long log: every distinct failure by the name that identifies it and the lines that say it."""

    name: str
    raw: bytes
    failures: tuple[tuple[str, tuple[int, ...]], ...]


_CAUSES = (
    "connection refused by {w}-db-{n}",
    "schema of topic {w}.events.v{n} is incompatible",
    "certificate of {w}{n}.internal has expired",
    "quota of bucket {w}-{n} exceeded",
    "role {w}_writer_{n} does not exist",
    "checksum of {w}-{n}.tar.gz does not match",
)


def _pytest_failures(r: random.Random, distinct: int) -> Iterator[tuple[str, list[str]]]:
    for i in range(distinct):
        name = f"test_{r.choice(WORDS)}_{r.choice(WORDS)}_{i:03d}"
        path = f"tests/{r.choice(WORDS)}/test_{r.choice(WORDS)}.py"
        a, b = r.randint(1, 99), r.randint(100, 999)
        yield (
            name,
            [
                f"{'_' * 30} {name} {'_' * 30}",
                "",
                f"    def {name}(client):",
                f"        reply = client.get('/{r.choice(WORDS)}')",
                f">       assert reply.count == {b}",
                f"E       assert {a} == {b}",
                f"E        +  where {a} = <Reply>.count",
                "",
                f"{path}:{r.randint(10, 400)}: AssertionError",
            ],
        )


def _service_failures(r: random.Random, distinct: int) -> Iterator[tuple[str, list[str]]]:
    for i in range(distinct):
        cause = r.choice(_CAUSES).format(w=r.choice(WORDS), n=i)
        yield (
            next(word for word in cause.split() if any(c.isdigit() for c in word)),
            [
                f"ERROR [{r.choice(WORDS)}] job {r.randint(1000, 9999)} failed: {cause}",
                f"    at com.acme.{r.choice(WORDS)}.Runner.run(Runner.java:{r.randint(10, 900)})",
                f"    at com.acme.core.Pool.lambda$submit$0(Pool.java:{r.randint(10, 900)})",
            ],
        )


def _compiler_failures(r: random.Random, distinct: int) -> Iterator[tuple[str, list[str]]]:
    for i in range(distinct):
        symbol = f"{r.choice(WORDS)}_{r.choice(['init', 'close', 'flush', 'parse'])}_{i}"
        yield (
            symbol,
            [
                f"src/{r.choice(WORDS)}/{r.choice(WORDS)}_{i % 37}.c:{r.randint(10, 900)}:{r.randint(1, 60)}: error: "
                f"implicit declaration of function '{symbol}'",
                f"  {r.randint(10, 900)} |     {symbol}(ctx);",
                f"      |     {'^' * len(symbol)}",
            ],
        )


_LONG = {"pytest": _pytest_failures, "service": _service_failures, "compiler": _compiler_failures}
_AROUND = {
    "pytest": ("pytest", "pip", "setup"),
    "service": ("service", "kubectl"),
    "compiler": ("compile", "docker"),
}


def long_log(kind: str, megabytes: float, distinct: int, seed: int, repeats: int = 2) -> Long:
    """A log of about that size, with its failures scattered, each said up to ``repeats`` times."""
    r = random.Random(seed)
    failures = list(_LONG[kind](r, distinct))
    planned = [item for item in failures for _ in range(r.randint(1, repeats))]
    r.shuffle(planned)
    filler = [line for around in _AROUND[kind] for line in noise(around, 4000, r)]
    per_gap = int(megabytes * 1e6 / 120 / max(1, len(planned)))
    lines: list[str] = []
    where: dict[str, list[int]] = {}
    for name, rows in planned:
        lines += r.choices(filler, k=r.randint(per_gap // 2, per_gap * 3 // 2))
        where.setdefault(name, []).extend(range(len(lines) + 1, len(lines) + len(rows) + 1))
        lines += rows
    lines += r.choices(filler, k=per_gap)
    lines.append("##[error]Process completed with exit code 1.")
    text = "\n".join(_stamp("gha", i) + line for i, line in enumerate(lines)) + "\n"
    return Long(
        f"{kind} {megabytes:.0f} MB, {distinct} failures",
        text.encode(),
        tuple((n, tuple(w)) for n, w in where.items()),
    )
