"""Read midas.toml: parse, refuse secrets, expand variables, validate, cross-check."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from midas_devops.config.checks import cross_check, refuse_secrets, refuse_unavailable
from midas_devops.config.find import CONFIG_FILE
from midas_devops.config.locate import KeyLines
from midas_devops.config.problems import Problem, problems_of, raise_first
from midas_devops.config.schema import Settings
from midas_devops.errors import ConfigError

Data: TypeAlias = dict[str, Any]

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")
_NUMBER_ERRORS = {"int_type": int, "float_type": float}


def load_settings(
    path: Path, environ: Mapping[str, str] | None = None, *, missing_ok: bool = False
) -> Settings:
    """The settings in a midas.toml (or in the folder that holds it).

    ``${VAR}`` in a string reads ``environ`` (the process's own by default); ``$${`` is a plain ``${``. With
    ``missing_ok`` a missing file gives the defaults. Raises ``ConfigError``: file, line, dotted key, fix.
    """
    file = path / CONFIG_FILE if path.is_dir() else path
    text = _read(file, missing_ok=missing_ok)
    if text is None:
        return Settings()
    data = _parse(file, text)
    lines = KeyLines(text)

    def stop(problems: list[Problem]) -> None:
        raise_first(file, lines, problems)

    stop(refuse_secrets(data))
    missing: list[Problem] = []
    expanded: Data = _expand(data, os.environ if environ is None else environ, (), missing)
    stop(missing)
    stop(refuse_unavailable(expanded))
    try:
        settings = _validate(expanded, data)
    except ValidationError as error:
        stop(problems_of(error, data))
        raise
    stop(cross_check(settings))
    return settings


def _read(file: Path, *, missing_ok: bool) -> str | None:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if missing_ok:
            return None
        raise ConfigError(
            f"looked for the project's settings: there is no {file.name} in {file.parent}",
            hint="run 'midas-devops init' there, or name the project with --project DIR",
            location=str(file),
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file.name} is not UTF-8 text (byte {error.start})",
            hint="save it as UTF-8",
            location=str(file),
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{file.name} cannot be read: {error.strerror}",
            hint="check that it is a file and that you may read it",
            location=str(file),
        ) from error


def _parse(file: Path, text: str) -> Data:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        sentence = str(error)
        position = _POSITION.search(sentence)
        line = int(position[1]) if position and position[1] else text.rstrip("\n").count("\n") + 1
        column = int(position[2]) if position and position[2] else 0
        where = f"line {line}, column {column}" if column else f"line {line} (its end)"
        quoted = text.split("\n")[line - 1].strip()[:60]
        raise ConfigError(
            f"{file.name} is not valid TOML at {where}: {_POSITION.sub('', sentence)}",
            hint=_toml_hint(sentence, quoted),
            location=f"{file.name}:{line}",
        ) from error


def _toml_hint(sentence: str, line: str) -> str:
    # The value may be a secret: only the key is repeated.
    key = line.partition("=")[0].strip()
    if "overwrite" in sentence or "twice" in sentence:
        return f"'{key}' stands there more than once; keep one"
    if line.startswith("["):
        return "a table's name stands in square brackets: [environments.staging]"
    return f"look at the value of '{key}'; text needs quotes, and every quote and bracket its other half"


def _expand(value: Any, environ: Mapping[str, str], path: tuple[str, ...], missing: list[Problem]) -> Any:
    """The value with its variables filled in, and lists as tuples."""
    if isinstance(value, dict):
        return {key: _expand(inner, environ, (*path, key), missing) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(
            _expand(inner, environ, (*path, str(index)), missing) for index, inner in enumerate(value)
        )
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] in environ:
            return environ[match[1]]
        missing.append(
            Problem(
                path,
                f"needs the environment variable {match[1] or '(no name)'}, which is not set",
                hint=f"set it: export {match[1]}=…" if match[1] else "write it as ${NAME}",
            )
        )
        return ""

    return _VARIABLE.sub(fill, value)


def _validate(expanded: Data, written: Data) -> Settings:
    """Strict, so that ``"yes"`` is no number; but a variable alone in a string may stand for a number."""
    try:
        return Settings.model_validate(expanded, strict=True)
    except ValidationError as error:
        filled = [_to_number(expanded, written, item) for item in error.errors()]
        if not any(filled):
            raise
    return Settings.model_validate(expanded, strict=True)


def _to_number(expanded: Data, written: Data, item: Any) -> bool:
    kind = _NUMBER_ERRORS.get(item["type"])
    path = [part for part in item["loc"] if isinstance(part, str)]
    table: Any = expanded
    source: Any = written
    for part in path[:-1]:
        # Tags of unions stand in pydantic's path but not in the file.
        if isinstance(table.get(part), dict):
            table, source = table[part], source[part]
    key = path[-1]
    if kind is None or not _VARIABLE.fullmatch(str(source.get(key, ""))):
        return False
    try:
        table[key] = kind(table[key])
    except ValueError:
        return False
    return True
