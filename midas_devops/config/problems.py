"""What is wrong in midas.toml, in plain words."""

from __future__ import annotations

import types
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from midas_devops.config.locate import KeyLines
from midas_devops.config.schema import Settings
from midas_devops.errors import ConfigError

_DID_YOU_MEAN = "did you mean "


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. ``says`` follows the key: ``must be a whole number``."""

    path: tuple[str, ...]
    says: str
    hint: str = ""

    @property
    def key(self) -> str:
        """The dotted key, quoted where TOML would need it."""
        return dotted(self.path)


def dotted(path: tuple[str, ...]) -> str:
    """``environments.staging.deploy.port``; list positions as ``start[0]``."""
    text = ""
    for part in path:
        if part.isdigit() and text:
            text += f"[{part}]"
        else:
            bare = part.replace("_", "").replace("-", "").isalnum()
            text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


def nearest(word: str, known: list[str]) -> str:
    """The known word that was probably meant; empty when none is near."""
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else ""


def raise_first(file: Path, lines: KeyLines, problems: list[Problem]) -> None:
    """Raise a ``ConfigError`` that lists all problems and points at the first, when there are any."""
    if problems:
        _raise(file, lines, problems)


def _raise(file: Path, lines: KeyLines, problems: list[Problem]) -> NoReturn:
    def where(problem: Problem) -> str:
        line = lines.line(problem.path)
        return f"{file.name}:{line}" if line else file.name

    ordered = sorted(problems, key=lambda problem: lines.line(problem.path))
    first = ordered[0]
    message, hint = f"{first.key} {first.says}", first.hint
    if len(ordered) > 1:
        listed = [
            f"  {where(one)}: {one.key} {one.says}" + (f" ({one.hint})" if one.hint else "")
            for one in ordered
        ]
        message = "\n".join([f"{file.name} has {len(ordered)} mistakes:", *listed])
        hint = "mend each of them, then run the command again"
    raise ConfigError(message, hint=hint, location=f"{where(first)}: {first.key}")


def problems_of(error: ValidationError, written: dict[str, Any]) -> list[Problem]:
    """The validator's complaints as sentences. Values are quoted as written, never as expanded."""
    found = [_problem(dict(item), written) for item in error.errors(include_url=False)]
    meant = {problem.hint.removeprefix(_DID_YOU_MEAN).rstrip("?") for problem in found}
    # A misspelt key is one mistake, not an unknown key and a missing one.
    return [problem for problem in found if problem.says != "is missing" or problem.key not in meant]


def _problem(item: dict[str, Any], written: dict[str, Any]) -> Problem:
    path, table = _path_in_file(item["loc"])
    context: dict[str, Any] = item.get("ctx", {})
    kind: str = item["type"]
    got = _shown(_at(written, path))
    if kind == "extra_forbidden":
        return _unknown_key(path, table)
    if kind == "missing":
        return Problem(path, "is missing", hint=f"add {path[-1]} = … to [{dotted(path[:-1])}]")
    if kind.startswith("union_tag"):
        return _wrong_tag(path, context)
    if kind == "literal_error":
        choices = context["expected"].replace("'", "")
        return Problem(path, f"must be {choices}, got {got}", hint=_meant(got.strip("'"), choices))
    if kind == "value_error":
        sentence = str(context["error"])
        # A rule over a whole table says what is wrong; there is no one value to quote.
        quotes_nothing = path[-1].endswith("_env") or isinstance(_at(written, path), dict)
        says = sentence if quotes_nothing else f"{sentence}, got {got}"
    else:
        says = _WORDS.get(kind, "cannot be {got}").format(got=got, **context)
    return Problem(path, says)


def _wrong_tag(path: tuple[str, ...], context: dict[str, Any]) -> Problem:
    """A gate without a known ``kind``, a deployer without a known ``using``."""
    key, tags = context["discriminator"].strip("'"), _tags(path)
    if "tag" not in context:
        return Problem((*path, key), "is missing", hint=f"choose one of {tags}")
    value = str(context["tag"])
    return Problem((*path, key), f"must be one of {tags}, got '{value}'", hint=_meant(value, tags))


_WORDS = {
    "int_type": "must be a whole number, got {got}",
    "float_type": "must be a number, got {got}",
    "bool_type": "must be true or false, got {got}",
    "string_type": "must be text in quotes, got {got}",
    "tuple_type": 'must be a list such as ["one", "two"], got {got}',
    "dict_type": "must be a table, got {got}",
    "model_type": "must be a table, got {got}",
    "model_attributes_type": "must be a table, got {got}",
    "greater_than_equal": "must be at least {ge}, got {got}",
    "greater_than": "must be more than {gt}, got {got}",
    "less_than_equal": "must be at most {le}, got {got}",
    "finite_number": "must be a finite number, got {got}",
    "too_short": "must not be an empty list",
    "string_too_short": "must not be empty",
}
"""Sentences by the validator's error type; other types do not occur in this schema."""


def _unknown_key(path: tuple[str, ...], table: type[BaseModel]) -> Problem:
    name, parent = path[-1], path[:-1]
    known = [field.alias or key for key, field in table.model_fields.items()]
    says = f"is not a key of [{dotted(parent)}]" if parent else "is not a table of midas.toml"
    if meant := nearest(name, known):
        return Problem(path, says, hint=f"{_DID_YOU_MEAN}{dotted((*parent, meant))}?")
    for key, field in table.model_fields.items():
        if any(name in inner.model_fields for inner in _tables(field.annotation)):
            return Problem(path, says, hint=f"it belongs to [{dotted((*parent, key))}]")
    return Problem(path, says, hint=f"known here: {', '.join(known)}")


def _path_in_file(location: tuple[int | str, ...]) -> tuple[tuple[str, ...], type[BaseModel]]:
    """The key's path without the union tags that the validator puts in, and the innermost table around it."""
    path: list[str] = []
    table: type[BaseModel] = Settings
    options: list[type[BaseModel]] = [Settings]
    for part in map(str, location):
        if len(options) > 1:
            options = [option for option in options if _tag_of(option) == part]
            continue
        if options:
            table = options[0]
            field = next(
                (f for key, f in table.model_fields.items() if part in (key, f.alias)),
                None,
            )
            annotation = field.annotation if field else None
            is_map = get_origin(annotation) is dict
            options = [] if is_map else _tables(annotation)
            pending = _tables(get_args(annotation)[1]) if is_map else []
        else:
            options, pending = pending, []
        path.append(part)
    return tuple(path), table


def _tables(annotation: Any) -> list[type[BaseModel]]:
    """The table classes in a type, unions and annotations opened; a map's values are not opened."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if origin in (Union, types.UnionType):
        return [table for inner in get_args(annotation) for table in _tables(inner)]
    if origin is Annotated:
        return _tables(get_args(annotation)[0])
    return []


def _tag_of(table: type[BaseModel]) -> str:
    for tag in ("using", "kind"):
        if tag in table.model_fields:
            choices = get_args(table.model_fields[tag].annotation)
            return str(choices[0]) if choices else ""
    return ""


def _tags(path: tuple[str, ...]) -> str:
    """The choices of a tagged table: ``gates.tests`` or ``environments.x.deploy``."""
    table, key = (Settings, path[0]) if len(path) == 2 else (_environment_table(), path[-1])  # noqa: PLR2004 - gates.NAME
    annotation = table.model_fields[key].annotation
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    return ", ".join(_tag_of(option) for option in _tables(annotation))


def _environment_table() -> type[BaseModel]:
    return _tables(get_args(Settings.model_fields["environments"].annotation)[1])[0]


def _meant(value: str, choices: str) -> str:
    words = choices.replace(" or ", ", ").split(", ")
    meant = nearest(value, words)
    return f"did you mean '{meant}'?" if meant else ""


def _at(written: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if isinstance(written, dict):
            written = written.get(part)
        elif isinstance(written, list) and part.isdigit() and int(part) < len(written):
            written = written[int(part)]
        else:
            return None
    return written


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - one line of a terminal
