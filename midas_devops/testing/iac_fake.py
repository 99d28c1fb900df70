"""FakeIacEngine: a small infrastructure engine of its own, on one JSON file, for tests without a real one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from midas_devops.adapters.git import GitSource
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.outcome import Diagnostic
from midas_devops.domain.plan_document import read_plan
from midas_devops.errors import UsageError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import (
    ApplyResult,
    DriftChange,
    DriftResult,
    IacErrorCode,
    IacFailure,
    InFlight,
    PlanInputs,
    PlanResult,
    Progress,
)

CONFIGURATION = "fake.json"
LOCK = "fake.lock"
STATE = "fake-state.json"
WORLD = "fake-world.json"

Json = dict[str, Any]


class FakeIacEngine:
    """Keeps its state beside its configuration, so that a new process finds it, and counts its effects there.

    ``fake.json`` in ``root/config``::

        {"resources": {"db.main": "v1"}, "outputs": {"url": "x"}, "secrets": [], "failing": ["db.main"]}

    ``secrets`` are the values of the sensitive outputs ``secret_1``, ``secret_2``…
    A resource depends on those before it. A value that begins with ``replace:`` cannot be changed in place.
    A file ``fake.lock`` with a holder's name locks the state. ``fake-state.json`` counts the applies that
    changed anything, in ``applies``. A file ``fake-world.json`` has the ``resources`` as they really are,
    where somebody changed them outside; without it they are as the state says.
    """

    describe = "fake 1.0"

    def __init__(self, root: Path, config: str, artifacts: Artifacts) -> None:
        self._root = root
        self._config = config
        self._folder = root / config
        self._artifacts = artifacts

    def config_sha256(self) -> str:
        return hashlib.sha256((self._folder / CONFIGURATION).read_bytes()).hexdigest()

    def state_identity(self) -> StateIdentity:
        return _identity(self._state())

    def validate(self, progress: Progress) -> IacFailure | None:
        progress("validating")
        wanted = _wanted((self._folder / CONFIGURATION).read_bytes())
        return wanted if isinstance(wanted, IacFailure) else None

    def plan(self, progress: Progress, *, destroy: bool = False, config_commit: str = "") -> PlanResult:
        text = self._text(config_commit)
        wanted = _wanted(text)
        if isinstance(wanted, IacFailure):
            return PlanResult(failure=wanted)
        if locked := self._locked():
            return PlanResult(failure=locked)
        if destroy:
            wanted = {**wanted, "resources": {}, "outputs": {}, "secrets": []}
        state = self._state()
        document = _document(state, wanted)
        saved = {"state": state["serial"], "lineage": state["lineage"], "wanted": wanted, "plan": document}
        plan_json = json.dumps(document).encode()
        read = read_plan(plan_json)
        progress(f"planned {read.counts.total} changes")
        return PlanResult(
            saved_plan=self._artifacts.put(json.dumps(saved).encode(), "saved.fakeplan", private=True),
            plan_json=self._artifacts.put(plan_json, "plan.json", private=True),
            counts=read.counts,
            changes=tuple(change.as_value() for change in read.changes),
            prior_addresses=read.prior_addresses,
            dependents=read.dependents,
            outputs_changed=read.outputs_changed,
            state=_identity(state),
            config_sha256=hashlib.sha256(text).hexdigest(),
            engine=self.describe,
        )

    def drift(self, progress: Progress) -> DriftResult:
        wanted = _wanted(self._text(""))
        if isinstance(wanted, IacFailure):
            return DriftResult(failure=wanted)
        if locked := self._locked():
            return DriftResult(failure=locked)
        remembered = self._state()["resources"]
        world = self._folder / WORLD
        real = json.loads(world.read_bytes())["resources"] if world.exists() else remembered
        changes = tuple(
            DriftChange(address=address, actions=("update",), attributes=("value",))
            if address in real
            else DriftChange(address=address, actions=("delete",))
            for address, value in remembered.items()
            if real.get(address) != value
        )
        progress(f"{len(changes)} resources have drifted")
        return DriftResult(changes=changes, engine=self.describe)

    def apply(self, saved_plan: ArtifactRef, progress: Progress, *, effect: str) -> ApplyResult:
        saved = json.loads(self._artifacts.get(saved_plan))
        state = self._state()
        if locked := self._locked():
            return ApplyResult(failure=locked, state=_identity(state))
        if (saved["state"], saved["lineage"]) != (state["serial"], state["lineage"]):
            return ApplyResult(failure=_failure("stale_plan", "the state has moved"), state=_identity(state))
        done = _carry_out(state, saved["wanted"], saved["plan"]["resource_changes"], progress)
        state["lineage"] = state["lineage"] or hashlib.sha256(effect.encode()).hexdigest()[:12]
        state["serial"] += 1
        state["applies"] += 1
        if not done["failed"]:
            state["outputs"] = saved["wanted"]["outputs"]
            state["sensitive"] = [f"secret_{n}" for n, _ in enumerate(saved["wanted"]["secrets"], start=1)]
        (self._folder / STATE).write_text(json.dumps(state))
        failure = None
        if done["failed"]:
            diagnostic = Diagnostic(summary="it was told to fail", address=done["failed"][0])
            failure = _failure("apply_failed", "applying: it was told to fail", diagnostic)
        lines = "\n".join(f"{name}: {', '.join(addresses)}" for name, addresses in done.items())
        return ApplyResult(
            failure=failure,
            **{name: tuple(addresses) for name, addresses in done.items()},
            outputs=self.outputs(),
            state=_identity(state),
            log=self._artifacts.put(lines.encode(), "fake-apply.log", private=True),
        )

    def left_behind(self, effect: str) -> ApplyResult | None:  # noqa: ARG002 - the port's signature
        return None

    def in_flight(self, effect: str) -> InFlight:  # noqa: ARG002 - the port's signature
        """Never: it works inside the calling process."""
        return InFlight(alive=False)

    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = self._state()["outputs"]
        return outputs

    def given(self, inputs: PlanInputs) -> FakeIacEngine:
        """Its configuration has neither variables nor targets. Raises ``UsageError`` for any."""
        if inputs != PlanInputs():
            raise UsageError("the fake engine takes no variables and no targets")
        return self

    def adopt(self, plan_file: Path, progress: Progress) -> PlanResult:
        """Nobody else makes its plans."""
        progress(f"reading {plan_file.name}")
        return PlanResult(failure=_failure("foreign_plan", f"{plan_file.name} is no plan of this engine"))

    def create_workspace(self, progress: Progress) -> bool:
        """It has one, which is always there."""
        progress("looking for the workspace")
        return False

    def sensitive_outputs(self) -> tuple[str, ...]:
        return tuple(self._state().get("sensitive", ()))

    def sensitive_values(self) -> Iterable[str]:
        wanted = _wanted((self._folder / CONFIGURATION).read_bytes())
        return () if isinstance(wanted, IacFailure) else tuple(wanted["secrets"])

    def _text(self, commit: str) -> bytes:
        if not commit:
            return (self._folder / CONFIGURATION).read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            GitSource(self._root).export(commit, Path(folder), self._config)
            return (Path(folder) / CONFIGURATION).read_bytes()

    def _state(self) -> Json:
        try:
            state: Json = json.loads((self._folder / STATE).read_bytes())
        except FileNotFoundError:
            return {"lineage": "", "serial": 0, "resources": {}, "outputs": {}, "applies": 0}
        return state

    def _locked(self) -> IacFailure | None:
        lock = self._folder / LOCK
        if not lock.exists():
            return None
        return IacFailure(
            code="state_locked", message="the state is locked", lock_holder=lock.read_text().strip()
        )


def _wanted(text: bytes) -> Json | IacFailure:
    try:
        return {"resources": {}, "outputs": {}, "secrets": [], "failing": [], **json.loads(text)}
    except ValueError as error:
        diagnostic = Diagnostic(summary=str(error), file=CONFIGURATION, line=1)
        return _failure("invalid_configuration", f"{CONFIGURATION} is no JSON", diagnostic)


def _failure(code: IacErrorCode, message: str, *diagnostics: Diagnostic) -> IacFailure:
    return IacFailure(code=code, message=message, diagnostics=diagnostics)


def _identity(state: Json) -> StateIdentity:
    return StateIdentity(lineage=state["lineage"], serial=state["serial"])


def _document(state: Json, wanted: Json) -> Json:
    """The plan, as ``terraform show -json`` would print it."""
    there, asked = state["resources"], wanted["resources"]
    changes = [
        _change(address, there.get(address), asked.get(address))
        for address in dict.fromkeys([*asked, *there])
    ]
    outputs = sorted({*wanted["outputs"], *state["outputs"]})
    return {
        "format_version": "1.2",
        "terraform_version": "1.0.0",
        "planned_values": {"root_module": {}},
        "resource_changes": changes,
        "output_changes": {
            name: {
                "actions": ["no-op"]
                if wanted["outputs"].get(name) == state["outputs"].get(name)
                else ["update"]
            }
            for name in outputs
        },
        "prior_state": {
            "values": {
                "root_module": {"resources": [{"address": address, "mode": "managed"} for address in there]}
            }
        },
    }


def _change(address: str, before: str | None, after: str | None) -> Json:
    if before == after:
        actions = ["no-op"]
    elif before is None:
        actions = ["create"]
    elif after is None:
        actions = ["delete"]
    elif before.startswith("tainted:") or after.startswith("replace:"):
        actions = ["delete", "create"]
    else:
        actions = ["update"]
    return {
        "address": address,
        "mode": "managed",
        "type": address.split(".", maxsplit=1)[0],
        "change": {
            "actions": actions,
            "before": before and {"value": before},
            "after": after and {"value": after},
            "after_unknown": {},
        },
    }


def _carry_out(state: Json, wanted: Json, changes: list[Json], progress: Progress) -> dict[str, list[str]]:
    """Change the world in order until something fails; what became of every address."""
    done: dict[str, list[str]] = {
        name: [] for name in ("created", "changed", "destroyed", "failed", "tainted", "not_begun")
    }
    for change in changes:
        address, actions = change["address"], change["change"]["actions"]
        if actions == ["no-op"]:
            continue
        if done["failed"]:
            done["not_begun"].append(address)
            continue
        progress(f"{address}: {'/'.join(actions)}")
        if "delete" in actions:
            del state["resources"][address]
            done["destroyed"].append(address)
        if address in wanted["failing"]:
            done["failed"].append(address)
            if "create" in actions:
                state["resources"][address] = "tainted:"
                done["tainted"].append(address)
            continue
        if "create" in actions or "update" in actions:
            state["resources"][address] = wanted["resources"][address]
            done["created" if "create" in actions else "changed"].append(address)
    return done
