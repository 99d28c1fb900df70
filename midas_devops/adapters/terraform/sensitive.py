"""Collects the values that must never be shown, for the redactor. Nothing here is ever stored."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from midas_devops.adapters.terraform.configuration import Configuration, text_files
from midas_devops.domain.plan_document import as_utf8
from midas_devops.safety.secret_names import holds_secret

_VARIABLE = re.compile(r'^[ \t]*variable[ \t]+"?([\w-]+)"?[ \t]*\{', re.MULTILINE)
_BRACE = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|//[^\n]*|[{}]')
_MARK = re.compile(r"\bsensitive\s*=\s*true\b")
_STRING = r'"((?:[^"\\\n]|\\.)*)"'
_ASSIGNED = re.compile(rf'(?<![\w.-])"?([\w-]+)"?[ \t]*[=:][ \t]*{_STRING}')
_LABELS = re.compile(r'^[ \t]*\w+((?:[ \t]+"[\w.-]+")+)[ \t]*\{', re.MULTILINE)
_NAMES_SOMETHING = re.compile(
    r"(?:\A|_|-)(?:name|region|zone|location|user|username|host|hostname|image|engine|environment|env|stage"
    r"|database|dbname|db|identifier|bucket|project|service|cluster)\Z",
    re.IGNORECASE,
)
_ORDINARY = frozenset(
    [
        "administrator",
        "changeme",
        "database",
        "development",
        "localhost",
        "password",
        "postgres",
        "postgresql",
        "production",
    ]
)
"""Words of 8 characters and more that everybody uses: hiding them would take whole reports with them."""
_NONE = (b"false", b"{}", b"[]", b"null")


class _Change(msgspec.Struct):
    before: msgspec.Raw = msgspec.Raw(b"null")
    after: msgspec.Raw = msgspec.Raw(b"null")
    before_sensitive: msgspec.Raw = msgspec.Raw(b"false")
    after_sensitive: msgspec.Raw = msgspec.Raw(b"false")


class _ResourceChange(msgspec.Struct):
    change: _Change | None = None


class _Variable(msgspec.Struct):
    value: Any = None
    sensitive: bool = False


class _RootModule(msgspec.Struct):
    variables: dict[str, _Variable] | None = None


class _Configuration(msgspec.Struct):
    root_module: _RootModule | None = None


class _Plan(msgspec.Struct):
    variables: dict[str, _Variable] | None = None
    configuration: _Configuration | None = None
    resource_changes: list[_ResourceChange] | None = None
    resource_drift: list[_ResourceChange] | None = None
    output_changes: dict[str, _Change] | None = None


class _Step(msgspec.Struct):
    value: Any = None


class _Instance(msgspec.Struct):
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    sensitive_attributes: list[list[_Step] | _Step] | None = None


class _Resource(msgspec.Struct):
    instances: list[_Instance] | None = None


class _State(msgspec.Struct):
    outputs: dict[str, _Variable] | None = None
    resources: list[_Resource] | None = None


def said_openly(configuration: Configuration) -> frozenset[str]:
    """What is no secret even at a secret's name: names of blocks, users, hosts; ordinary words.

    Nobody marked such a value, and whoever hid it everywhere would hide addresses and paths with it.
    """
    openly = set(_ORDINARY)
    for text in _texts(configuration):
        for labels in _LABELS.findall(text):
            openly.update(re.findall(r'"([^"]+)"', labels))
        for name, value in _ASSIGNED.findall(text):
            if _NAMES_SOMETHING.search(name) and not holds_secret(name):
                openly.update((value, value.partition(":")[0]))
    return frozenset(openly)


def in_configuration(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[str]:
    """Values of the root module's sensitive variables: environment, variables files, defaults; and literals.

    Sensitive is what is declared so, and what bears a secret's name: nobody marks the ``PGPASSWORD`` of a
    provisioner, and its command may write it anywhere.
    """
    texts = _texts(configuration)
    openly = said_openly(configuration)
    for text in texts:
        found = (value for name, value in _ASSIGNED.findall(text) if holds_secret(name))
        yield from (value for value in found if "${" not in value and value not in openly)
    for name, body in (pair for text in texts for pair in _variables(text)):
        if _MARK.search(body):
            yield from _values_of(name, body, texts, environ)
        elif holds_secret(name):
            yield from (v for v in _values_of(name, body, texts, environ) if v not in openly)


def _values_of(name: str, body: str, texts: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    yield environ.get(f"TF_VAR_{name}", "")
    if default := re.search(rf"\bdefault\s*=\s*{_STRING}", body):
        yield default.group(1)
    assigned = re.compile(rf'^[ \t]*"?{re.escape(name)}"?[ \t]*[=:][ \t]*{_STRING}', re.MULTILINE)
    for text in texts:
        yield from assigned.findall(text)


def variables_declared(configuration: Configuration) -> frozenset[str]:
    """Names of the variables that the root module declares sensitive."""
    return frozenset(
        name for text in _texts(configuration) for name, body in _variables(text) if _MARK.search(body)
    )


def _texts(configuration: Configuration) -> list[str]:
    return [path.read_text("utf-8", "replace") for path in text_files(configuration)]


def in_plan(plan_json: bytes, openly: Container[str] = ()) -> Iterator[str]:
    """Values that ``show -json`` of a plan marks as sensitive; variables and outputs of a secret's name.

    Of the latter none that is said ``openly``.
    """
    plan = msgspec.json.decode(as_utf8(plan_json), type=_Plan)
    module = plan.configuration.root_module if plan.configuration else None
    declared = (module.variables if module else None) or {}
    for name, variable in (plan.variables or {}).items():
        if name in declared and declared[name].sensitive:
            yield from leaves(variable.value)
        elif holds_secret(name):
            yield from (value for value in leaves(variable.value) if value not in openly)
    resources = [*(plan.resource_changes or ()), *(plan.resource_drift or ())]
    changes = [item.change for item in resources if item.change is not None]
    for change in [*changes, *(plan.output_changes or {}).values()]:
        yield from _marked_raw(change.before, change.before_sensitive)
        yield from _marked_raw(change.after, change.after_sensitive)
    for name, output in (plan.output_changes or {}).items():
        if holds_secret(name):
            both = leaves([msgspec.json.decode(output.before), msgspec.json.decode(output.after)])
            yield from (value for value in both if value not in openly)


def in_state(state: bytes, openly: Container[str] = ()) -> Iterator[str]:
    """Sensitive outputs and attributes of a version 4 state file, and outputs of a secret's name.

    Of the latter none that is said ``openly``. None of a state that cannot be read.
    """
    if not state.strip():
        return
    try:
        read = msgspec.json.decode(state, type=_State)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # whoever needs such a state says what is wrong with it
    for name, output in (read.outputs or {}).items():
        if output.sensitive:
            yield from leaves(output.value)
        elif holds_secret(name):
            yield from (value for value in leaves(output.value) if value not in openly)
    for instance in (instance for item in read.resources or () for instance in item.instances or ()):
        if not instance.sensitive_attributes:
            continue
        attributes = msgspec.json.decode(instance.attributes)
        for path in instance.sensitive_attributes:
            yield from leaves(_at(attributes, path if isinstance(path, list) else [path]))


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _variables(text: str) -> Iterator[tuple[str, str]]:
    """Name and body of each variable's declaration."""
    for match in _VARIABLE.finditer(text):
        yield match.group(1), _block(text, match.end())


def _block(text: str, start: int) -> str:
    """The text between an opening brace before ``start`` and the one that closes it."""
    depth = 1
    for token in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return text[start : token.start()]
    return text[start:]


def _marked_raw(value: msgspec.Raw, mark: msgspec.Raw) -> Iterator[str]:
    if bytes(mark) not in _NONE and bytes(value) != b"null":
        yield from _marked(msgspec.json.decode(value), msgspec.json.decode(mark))


def _marked(value: Any, mark: Any) -> Iterator[str]:
    """``mark`` has the shape of ``value`` with true where a part is sensitive."""
    if mark is True:
        yield from leaves(value)
    elif isinstance(mark, dict) and isinstance(value, dict):
        for key, inner in mark.items():
            yield from _marked(value.get(key), inner)
    elif isinstance(mark, list) and isinstance(value, list):
        for item, inner in zip(value, mark, strict=False):
            yield from _marked(item, inner)


def _at(value: Any, path: list[_Step]) -> Any:
    """The part of an attribute tree at ``path``; all of what is there where the path leads no further."""
    value = _unwrapped(value)
    for step in path:
        key = step.value.get("value") if isinstance(step.value, dict) else step.value
        if isinstance(value, dict) and key in value:
            value = _unwrapped(value[key])
        elif isinstance(value, list) and isinstance(key, int | float) and 0 <= key < len(value):
            value = _unwrapped(value[int(key)])
        else:
            return value
    return value


def _unwrapped(value: Any) -> Any:
    """State files write a value of no fixed type with its type beside it."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value", "type"} else value
