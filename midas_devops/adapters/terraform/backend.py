"""Where the state of a configuration lies, as the engine itself noted it when it was initialised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from midas_devops.adapters.terraform.saved_plan import given_settings
from midas_devops.adapters.terraform.workspace import Place

_DEFAULT = "default"


class _Config(msgspec.Struct):
    path: str | None = None
    workspace_dir: str | None = None


class _Backend(msgspec.Struct):
    type: str = "local"
    config: msgspec.Raw = msgspec.Raw(b"{}")


class _Noted(msgspec.Struct):
    backend: _Backend | None = None


@dataclass(frozen=True)
class Backend:
    """The backend of one place."""

    local_state: Path | None
    """The state file of a local backend; None when the state lies elsewhere."""
    workspace: str = _DEFAULT
    redirected: bool = False
    """True for a copy of the configuration whose state lies beside the original."""
    type: str = "local"
    settings: dict[str, object] = field(default_factory=dict)
    """Those that say something."""

    @property
    def has_own_workspace(self) -> bool:
        return self.workspace != _DEFAULT

    @property
    def identity_workspace(self) -> str:
        """As a state's identity names it: empty for the default one."""
        return self.workspace if self.has_own_workspace else ""

    @property
    def arguments(self) -> list[str]:
        """What plan and apply need so that they find the state."""
        if self.redirected and self.local_state is not None and self.workspace == _DEFAULT:
            return [f"-state={self.local_state}"]
        return []


def backend_of(place: Place, environ: Mapping[str, str]) -> Backend:
    """Read what ``init`` noted in the data directory; nothing noted means a local state file."""
    try:
        noted = msgspec.json.decode((place.data / "terraform.tfstate").read_bytes(), type=_Noted)
    except (OSError, msgspec.DecodeError):
        noted = _Noted()
    workspace = environ.get("TF_WORKSPACE") or _selected(place.data)
    backend = noted.backend or _Backend()
    try:
        settings = given_settings(msgspec.json.decode(backend.config, type=dict[str, object]))
    except msgspec.DecodeError:
        settings = {}
    if backend.type != "local":
        return Backend(None, workspace, type=backend.type, settings=settings)
    try:
        config = msgspec.json.decode(backend.config, type=_Config)
    except msgspec.DecodeError:
        config = _Config()
    # Relative paths count from the folder that the engine runs in; a copy uses the original's state.
    if workspace == _DEFAULT:
        inner = Path(config.path or "terraform.tfstate")
    else:
        inner = Path(config.workspace_dir or "terraform.tfstate.d") / workspace / "terraform.tfstate"
    return Backend(place.real.folder / inner, workspace, place.is_copy, settings=settings)


def _selected(data: Path) -> str:
    try:
        return (data / "environment").read_text().strip() or _DEFAULT
    except OSError:
        return _DEFAULT
