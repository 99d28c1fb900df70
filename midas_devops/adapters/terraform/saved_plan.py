"""Reads where a saved plan file comes from: engine version, workspace, backend, targets, configuration.

A saved plan is a zip archive: ``tfplan`` is one protocol buffer message whose field numbers are stable,
``tfconfig/`` holds the text of every module, ``tfstate`` the state it was made against. Its JSON says nothing
of all this. Format: https://github.com/hashicorp/terraform, ``internal/plans/planproto/planfile.proto``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from midas_devops.adapters.terraform.configuration import Configuration
from midas_devops.errors import UnreadableError

if TYPE_CHECKING:
    from midas_devops.adapters.terraform.backend import Backend

_TARGET, _BACKEND, _VERSION = 5, 13, 14
_BACKEND_TYPE, _BACKEND_CONFIG, _BACKEND_WORKSPACE = 1, 2, 3
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODULE_TEXT = (".tf", ".tf.json", ".tofu", ".tofu.json")


class _Module(msgspec.Struct):
    key: str = msgspec.field(name="Key", default="")
    folder: str = msgspec.field(name="Dir", default="")


@dataclass(frozen=True)
class Origin:
    """Where a saved plan comes from."""

    version: str
    workspace: str
    backend: str
    backend_config: dict[str, object]
    """Without what was left open."""
    targets: tuple[str, ...]
    texts: dict[str, dict[str, str]]
    """SHA-256 of the files of each local module, by folder relative to the configuration."""


def read_origin(saved_plan: Path) -> Origin:
    """Raises ``UnreadableError`` for what is no plain saved plan."""
    try:
        with zipfile.ZipFile(saved_plan) as archive:
            fields = list(_fields(archive.read("tfplan")))
            texts = _texts(archive)
        backend = list(_fields(next(value for number, value in fields if number == _BACKEND)))
        held = [value for number, value in backend if number == _BACKEND_CONFIG]
        packed = next((value for number, value in _fields(held[0]) if number == 1), b"") if held else b""
        config: dict[str, object] = msgspec.msgpack.decode(packed, type=dict) if packed else {}
        return Origin(
            version=_text(fields, _VERSION),
            workspace=_text(backend, _BACKEND_WORKSPACE),
            backend=_text(backend, _BACKEND_TYPE),
            backend_config=given_settings(config),
            targets=tuple(value.decode() for number, value in fields if number == _TARGET),
            texts=texts,
        )
    except (zipfile.BadZipFile, KeyError, StopIteration, IndexError, ValueError, OSError) as error:
        raise UnreadableError(
            "this is no saved plan, or one that OpenTofu encrypted",
            hint="write one with `terraform plan -out=FILE`, and give that FILE as it is",
        ) from error


def foreign(origin: Origin, configuration: Configuration, backend: Backend, version: str) -> str:
    """Why a plan is not of this configuration, state or engine; empty when it is."""
    if origin.version != version:
        return f"version {origin.version} of the engine made it, and {version} is here"
    if origin.workspace != backend.workspace:
        return f"it is for the workspace '{origin.workspace}', not '{backend.workspace}'"
    if (origin.backend, origin.backend_config) != (backend.type, backend.settings):
        return f"its state is in another {origin.backend} backend than this configuration's"
    differing = differing_files(origin, configuration)
    if differing:
        named = ", ".join(differing[:5])
        return f"it is of another configuration: {named} differ{'s' if len(differing) == 1 else ''}"
    return ""


def given_settings(config: dict[str, object]) -> dict[str, object]:
    """The settings of a backend that say something."""
    return {name: value for name, value in config.items() if value not in (None, "", [], {})}


def differing_files(origin: Origin, configuration: Configuration) -> list[str]:
    """Files of the configuration and its local modules that are not as the plan was made of them."""
    found: list[str] = []
    for folder, planned in origin.texts.items():
        here = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((configuration.folder / folder).glob("*"))
            if path.name.endswith(_MODULE_TEXT) and path.is_file() and not _replaced(path)
        }
        names = (name for name in sorted({*here, *planned}) if here.get(name) != planned.get(name))
        found.extend(name if folder == "." else f"{folder}/{name}" for name in names)
    return found


def _replaced(path: Path) -> bool:
    """OpenTofu reads ``x.tofu`` instead of an ``x.tf`` beside it."""
    tofu = path.name.replace(".tf", ".tofu")
    return tofu != path.name and ".tofu" not in path.name and path.with_name(tofu).exists()


def _texts(archive: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    modules = msgspec.json.decode(archive.read("tfconfig/modules.json"), type=list[_Module])
    local = {f"tfconfig/m-{module.key}/": module.folder for module in modules if _is_local(module.folder)}
    texts: dict[str, dict[str, str]] = {folder: {} for folder in local.values()}
    for name in archive.namelist():
        start, slash, file = name.rpartition("/")
        if (folder := local.get(start + slash)) is not None:
            texts[folder][file] = hashlib.sha256(archive.read(name)).hexdigest()
    return texts


def _is_local(folder: str) -> bool:
    """Fetched modules lie below the data directory, ``.terraform`` unless somebody moved it."""
    return not folder.startswith("/") and "/modules/" not in f"/{folder}".partition(".terraform")[2]


def _text(fields: list[tuple[int, bytes]], wanted: int) -> str:
    return next((value.decode() for number, value in fields if number == wanted), "")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The text and message fields of one protocol buffer message, with their numbers."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("the message ends too early")
            yield tag >> 3, message[position : position + length]
            position += length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the format's continuation bit
            return value, position
