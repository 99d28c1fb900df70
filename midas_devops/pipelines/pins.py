"""Versions that a rendered pipeline uses: shipped, so that the same input gives the same pipeline offline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Pin(NamedTuple):
    """An action at the full commit of a release."""

    sha: str
    version: str


ACTIONS: dict[str, Pin] = {
    "actions/checkout": Pin("08c6903cd8c0fde910a37f88322edcfb5dd907a8", "v5.0.0"),
    "actions/setup-python": Pin("e797f83bcb11b83ae66e0230d6156d7c80228e7c", "v6.0.0"),
    "actions/setup-node": Pin("2028fbc5c25fe9cf00d9f06a71cc4710d4507903", "v6.0.0"),
    "actions/setup-go": Pin("44694675825211faa026b3c33043df3e48a5fa00", "v6.0.0"),
    "actions/setup-java": Pin("dded0888837ed1f317902acf8a20df0ad188d165", "v5.0.0"),
    "actions/cache": Pin("0057852bfaa89a56745cba8c7296529d2fc39830", "v4.3.0"),
    "actions/upload-artifact": Pin("330a01c490aca151604b8cf639adc76d48f6c5d4", "v5.0.0"),
    "actions/download-artifact": Pin("018cc2cf5baa6db3ef3c5f8a56943fffe632ef53", "v6.0.0"),
    "astral-sh/setup-uv": Pin("d0cc045d04ccac9d8b7881df0226f9e82c39688e", "v6.8.0"),
    "pnpm/action-setup": Pin("a7487c7e89a18df4991f7f222e4898a00d66ddda", "v4.1.0"),
    "hashicorp/setup-terraform": Pin("b9cd54a3c349d3f38e8881555d616ced269862dd", "v3.1.2"),
}
"""Only commits that independent public workflows name with the same version."""

TOOLS: dict[str, str] = {
    "bandit": "1.9.4",
    "semgrep": "1.136.0",
    "checkov": "3.2.470",
    "poetry": "2.1.4",
    "gotestsum": "v1.13.0",
    "junitparser": "5.0.3",
    "midas-devops": "0.1.0",
}

DEFAULT_PYTHON = "3.13"
DEFAULT_NODE = "24"
DEFAULT_JAVA = "21"
DEFAULT_PNPM = "10"
DEFAULT_RUNNER = "ubuntu-24.04"


def action(name: str, pins: Mapping[str, Pin] = ACTIONS) -> str:
    """``owner/name@commit # version``, as it stands behind ``uses:``. Raises ``KeyError``."""
    pin = pins.get(name) or ACTIONS[name]
    return f"{name}@{pin.sha} # {pin.version}"


def newest(name: str, tags: Iterable[str]) -> str:
    """The newest release that the templates still fit: of the major version in the table, never an older one.

    Raises ``KeyError`` for an action that is not in the table.
    """
    shipped = _version(ACTIONS[name].version)
    fitting = [tag for tag in tags if (found := _version(tag)) and found[0] == shipped[0] and found > shipped]
    return max(fitting, key=_version, default=ACTIONS[name].version)


def _version(tag: str) -> tuple[int, ...]:
    """Of a whole version, ``v5.0.1``; empty for anything else: a branch, a moving ``v5``, a pre-release."""
    found = re.fullmatch(r"v(\d{1,9})\.(\d{1,9})\.(\d{1,9})", tag)
    return tuple(map(int, found.groups())) if found else ()
