"""IacEngine for Pulumi: preview and save, update by exactly that plan, and what the stack's state says."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from midas_devops.adapters.child import Ended
from midas_devops.adapters.pulumi import project as projects
from midas_devops.adapters.pulumi.commands import Answer, Commands, failure_of, unread
from midas_devops.adapters.pulumi.deployment import Deployment, read_deployment, secret_values
from midas_devops.adapters.pulumi.events import EventLog, address_of
from midas_devops.adapters.pulumi.locks import locks_of, remove_own
from midas_devops.adapters.pulumi.plan import SavedPlan, drift_document, plan_document, read_saved_plan
from midas_devops.adapters.pulumi.project import Project
from midas_devops.adapters.pulumi.workspace import EffectRecord, Workspace
from midas_devops.adapters.terraform.drift import read_drift
from midas_devops.adapters.terraform.processes import find_process, start_time
from midas_devops.config import Infrastructure
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.plan_document import read_plan
from midas_devops.errors import ToolError, UnreadableError, UsageError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import (
    ApplyResult,
    DriftResult,
    IacErrorCode,
    IacFailure,
    InFlight,
    PlanInputs,
    PlanResult,
    Progress,
)

_NO_STACK = "no stack named"
_LOCK_POLL_SECONDS = 0.2
_PASSPHRASES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN")


class PulumiEngine:
    """One stack of one Pulumi project. See :class:`midas_devops.ports.iac.IacEngine`.

    The stack is the one that the configuration names (``Pulumi.NAME.yaml``), else the setting ``workspace``,
    else the environment's name; the last is made when it is not there yet. Raises ``UsageError`` when
    ``config`` is no Pulumi project of this project.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        config: Path,
        infrastructure: Infrastructure,
        artifacts: Artifacts,
        environ: Mapping[str, str],
    ) -> None:
        self._project = projects.locate(root, config, infrastructure.workspace or environment)
        self._settings = infrastructure
        self._artifacts = artifacts
        self._environ = dict(environ)
        self._workspace = Workspace(self._project, environment)
        timeout = infrastructure.timeout.total_seconds()
        self._commands = Commands(self._environ, artifacts, lambda: self._workspace.private, timeout)
        self._known_settings: frozenset[str] | None = None

    @property
    def describe(self) -> str:
        """Engine and version, ``pulumi 3.204.0``. Raises ``ToolError`` when there is none."""
        return f"pulumi {self._commands.version}"

    def given(self, inputs: PlanInputs) -> PulumiEngine:
        """Itself: values come from ``Pulumi.NAME.yaml`` alone. Raises ``UsageError`` for any other."""
        if inputs.variables or inputs.var_files or inputs.targets:
            raise UsageError(
                "Pulumi takes neither variables nor targets from outside of its project",
                hint=f"set values with `pulumi config set --stack {self._project.stack}` and commit the file",
                location=self._project.relative,
            )
        return self

    def config_sha256(self) -> str:
        """Content hash of the project's folder as it stands: program and settings of every stack."""
        return projects.fingerprint(self._project)

    def state_identity(self) -> StateIdentity:
        """The stack, and when its state last changed. Raises ``ToolError``."""
        return self._deployment().identity

    def outputs(self) -> dict[str, str]:
        """Stack outputs that are not secret, as text. Raises ``ToolError``."""
        return self._deployment().outputs

    def sensitive_outputs(self) -> tuple[str, ...]:
        """Names of the stack outputs that are secret. Raises ``ToolError``."""
        return self._deployment().secret_outputs

    def validate(self, progress: Progress) -> IacFailure | None:
        """None when the program runs: Pulumi has no check that is less than a preview."""
        return self.plan(progress).failure

    def create_workspace(self, progress: Progress) -> bool:
        """Make the stack when it is not there. Raises ``ToolError``."""
        if self._deployment().exists:
            return False
        if failure := self._make_stack(self._project, progress):
            raise ToolError(failure.message, hint="see what Pulumi says", location=self._project.relative)
        return True

    def adopt(self, plan_file: Path, progress: Progress) -> PlanResult:  # noqa: ARG002 - the port's signature
        """Refused: an update plan of Pulumi does not say which state it was made against."""
        message = f"{plan_file.name} is not taken over: a plan of Pulumi does not name its state"
        return PlanResult(failure=IacFailure(code="foreign_plan", message=message))

    def plan(self, progress: Progress, *, destroy: bool = False, config_commit: str = "") -> PlanResult:
        """Preview and save. ``config_commit``: the program of an earlier commit, against today's state."""
        try:
            project = self._place(config_commit)
            before = self._deployment(project)
        except ToolError as error:
            return PlanResult(failure=unread(error, "planning"))
        if refused := self._refused(project, before):
            return PlanResult(failure=refused)
        if not before.exists and (failure := self._missing_stack(project, progress)):
            return PlanResult(failure=failure)
        hashed = projects.fingerprint(project)
        with self._scratch() as scratch:
            saved = scratch / "update-plan.json"
            arguments = ["destroy", "--preview-only"] if destroy else ["preview", "--save-plan", str(saved)]
            answer = self._commands.operate(project, arguments, progress)
            if not answer.ok:
                return PlanResult(failure=failure_of(answer, "planning", "plan_failed"))
            if projects.fingerprint(project) != hashed:
                return _no_plan(
                    "plan_failed", "planning: the program was edited meanwhile; plan it again", answer
                )
            text = "" if destroy else saved.read_text("utf-8")
        if answer.events.unreadable or not answer.events.finished:
            return _no_plan(
                "plan_failed", "planning: what Pulumi reported of its preview cannot be read", answer
            )
        return self._kept(project, before, answer, text, config_commit, hashed)

    def drift(self, progress: Progress) -> DriftResult:
        """What changed outside since the last update, by a refresh that is previewed only."""
        try:
            before = self._deployment()
        except ToolError as error:
            return DriftResult(failure=unread(error, "looking for drift"))
        if not before.exists:
            return DriftResult(engine=self.describe)
        if refused := self._refused(self._project, before):
            return DriftResult(failure=refused)
        answer = self._commands.operate(self._project, ["refresh", "--preview-only"], progress)
        if not answer.ok:
            return DriftResult(failure=failure_of(answer, "looking for drift", "plan_failed"))
        changes = read_drift(json.dumps(drift_document(answer.events.done)).encode())
        return DriftResult(changes=changes, engine=self.describe)

    def apply(self, saved_plan: ArtifactRef, progress: Progress, *, effect: str) -> ApplyResult:
        """Carry out exactly this saved plan. ``effect`` names the run's step, for :meth:`in_flight`."""
        try:
            saved = read_saved_plan(self._artifacts.get(saved_plan))
            project = self._place(saved.commit)
            before = self._deployment(project)
        except (ToolError, UnreadableError) as error:
            return _not_applied("apply_failed", f"applying: {error.message}")
        if refused := self._refused(project, before):
            return ApplyResult(failure=refused, state=before.identity)
        if (before.sha256, project.stack) != (saved.state_sha256, saved.stack):
            return _not_applied("stale_plan", "applying: the state changed since the plan was made", before)
        if saved.engine != self.describe:
            return _not_applied("stale_plan", f"applying: the plan was made by {saved.engine}", before)
        if projects.fingerprint(project) != saved.config_sha256:
            return _not_applied("stale_plan", "applying: the program changed since the plan was made", before)
        message = f"midas-devops {saved_plan.sha256[:16]} {uuid.uuid4().hex}"

        def record(pid: int) -> None:
            began = start_time(pid) if pid else 0.0
            self._workspace.write_effect(EffectRecord(effect, saved_plan.sha256, message, pid, began))

        # Without a process id yet: should we die before it is known, the message still finds the engine.
        record(0)
        with self._scratch() as scratch:
            arguments = [saved.operation, "--yes", "--skip-preview", "--message", message]
            if saved.operation == "up":
                constraint = scratch / "update-plan.json"
                constraint.write_text(saved.plan, "utf-8")
                arguments += ["--plan", str(constraint)]
            kept = self._workspace.effect_log(effect)
            answer = self._commands.operate(project, arguments, progress, kept=kept, on_start=record)
        failure = None if answer.ok else failure_of(answer, "applying", "apply_failed")
        self._release(project, effect)
        result = self._applied(project, saved, answer.events, failure, answer.log)
        self._workspace.drop_effect(effect)
        return result

    def in_flight(self, effect: str) -> InFlight:
        """Whether an engine started for this effect by a process that died is still at work."""
        record = self._workspace.read_effect(effect)
        return _found(record) if record else InFlight(alive=False)

    def left_behind(self, effect: str) -> ApplyResult | None:
        """What an update did whose own process of ours died, read from the events that it left.

        None when there are none. Only to be asked once :meth:`in_flight` says that the engine ended; a lock
        that this engine left, and no other, is removed.
        """
        record = self._workspace.read_effect(effect)
        text = self._workspace.effect_log(effect)
        if record is None or not text.is_file():
            return None
        events = EventLog(str(self._project.folder), self._project.relative)
        with contextlib.suppress(FileNotFoundError):
            for line in text.with_suffix(".events").read_text("utf-8", "replace").splitlines():
                events.read(line)
        answer = self._commands.answer(text, events, Ended(0 if events.finished else None), "apply")
        failure = None
        if not events.finished:
            message = "applying: the engine ended without summing up"
            failure = IacFailure(
                code="apply_failed", message=message, diagnostics=events.errors, log=answer.log
            )
        elif events.errors:
            failure = failure_of(answer, "applying", "apply_failed")
        self._release(self._project, effect)
        reference = self._artifacts.find(record.plan_sha256)
        saved = read_saved_plan(self._artifacts.get(reference)) if reference else None
        return self._applied(self._project, saved, events, failure, answer.log)

    def sensitive_values(self) -> Iterable[str]:
        """Secrets of settings and state, and what unlocks them, for the redactor. Never store them."""
        found = {value for name in _PASSPHRASES if (value := self._environ.get(name, ""))}
        with contextlib.suppress(ToolError):
            found.update(self._secret_settings())
            ended, output, _ = self._commands.query(self._project, ["stack", "export", "--show-secrets"])
            found.update(secret_values(output) if ended.ok else ())
        return sorted(value for value in found if value)

    def _secret_settings(self) -> frozenset[str]:
        """Asked once: each command of Pulumi starts a large program."""
        if self._known_settings is None:
            ended, output, _ = self._commands.query(self._project, ["config", "--show-secrets", "--json"])
            if not ended.ok:
                return frozenset()
            settings: dict[str, dict[str, Any]] = json.loads(output)
            secret = (str(item.get("value", "")) for item in settings.values() if item.get("secret"))
            self._known_settings = frozenset(secret)
        return self._known_settings

    def _place(self, commit: str) -> Project:
        return projects.at_commit(self._project, commit, self._workspace.commits) if commit else self._project

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(dir=self._workspace.private))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _deployment(self, project: Project | None = None) -> Deployment:
        project = project or self._project
        ended, output, complaint = self._commands.query(project, ["stack", "export"])
        if ended.ok:
            return read_deployment(output, project.name, project.stack)
        if _NO_STACK in complaint:
            return Deployment()
        reason = complaint.strip().removeprefix("error: ").split("\n")[0]
        raise ToolError(
            f"the state of {project.relative} cannot be read: {reason or f'exit code {ended.returncode}'}",
            hint="check the backend, and PULUMI_CONFIG_PASSPHRASE or PULUMI_ACCESS_TOKEN",
            location=project.relative,
        )

    def _refused(self, project: Project, before: Deployment) -> IacFailure | None:
        """Nothing is begun on a stack that somebody else is at, nor on one with things nobody knows of."""
        deadline = time.monotonic() + self._settings.lock_wait.total_seconds()
        backend = project.backend(self._environ)
        while (locks := locks_of(backend, project.name, project.stack)) and time.monotonic() < deadline:
            time.sleep(_LOCK_POLL_SECONDS)
        if locks:
            holder = locks[0].holder
            return IacFailure(
                code="state_locked", message=f"the stack is locked by {holder}", lock_holder=holder
            )
        if before.creating:
            named = ", ".join(address_of(urn) for urn in before.creating[:5])
            message = (
                f"the creation of {named} was cut off; nobody knows whether it is there: look, then say so "
                f"with `pulumi refresh --stack {project.stack}` (import what is there, clear what is not)"
            )
            return IacFailure(code="unreadable_state", message=message)
        return None

    def _missing_stack(self, project: Project, progress: Progress) -> IacFailure | None:
        if self._settings.workspace:
            message = f"there is no stack '{project.stack}'; make it with `pulumi stack init {project.stack}`"
            return IacFailure(code="workspace_missing", message=message)
        return self._make_stack(project, progress)

    def _make_stack(self, project: Project, progress: Progress) -> IacFailure | None:
        progress(f"making the stack {project.stack}")
        ended, _, complaint = self._commands.query(project, ["stack", "init", "--no-select"])
        if ended.ok:
            return None
        reason = complaint.strip().removeprefix("error: ").split("\n")[0]
        return IacFailure(code="init_failed", message=f"making the stack {project.stack}: {reason}")

    def _kept(
        self, project: Project, before: Deployment, answer: Answer, text: str, commit: str, config_sha256: str
    ) -> PlanResult:
        """The plan in our words, read by our rules, and both kept as private artifacts."""
        try:
            document = plan_document(answer.events.begun, text, before, self.describe)
            shown = json.dumps(document).encode()
            plan = read_plan(shown)
            now = before if before.exists else self._deployment(project)
        except (ToolError, UnreadableError) as error:
            return _no_plan("plan_failed", f"reading the plan: {error.message}", answer)
        saved = SavedPlan(
            operation="up" if text else "destroy",
            project=project.name,
            stack=project.stack,
            state_sha256=now.sha256,
            engine=self.describe,
            planned=[change.address for change in plan.changes],
            config_sha256=config_sha256,
            commit=commit,
            plan=text,
        )
        return PlanResult(
            saved_plan=self._artifacts.put(msgspec.json.encode(saved), "saved-plan.json", private=True),
            plan_json=self._artifacts.put(shown, "plan.json", private=True),
            counts=plan.counts,
            changes=tuple(change.as_value() for change in plan.changes),
            prior_addresses=plan.prior_addresses,
            outputs_changed=plan.outputs_changed,
            state=now.identity,
            config_sha256=config_sha256,
            engine=self.describe,
        )

    def _release(self, project: Project, effect: str) -> None:
        """An engine that was killed leaves its lock; this takes away ours, and only ours."""
        record = self._workspace.read_effect(effect)
        if record is not None and record.pid and not _found(record).alive:
            backend = project.backend(self._environ)
            remove_own(backend, project.name, project.stack, record.pid, record.started)

    def _applied(
        self,
        project: Project,
        saved: SavedPlan | None,
        events: EventLog,
        failure: IacFailure | None,
        log: ArtifactRef | None,
    ) -> ApplyResult:
        now = Deployment()
        with contextlib.suppress(ToolError):
            now = self._deployment(project)
        planned = tuple(saved.planned) if saved else ()
        return ApplyResult(
            failure=failure,
            created=events.created(),
            changed=events.changed(),
            destroyed=events.destroyed(),
            failed=events.not_finished(),
            tainted=tuple(dict.fromkeys(address_of(urn) for urn in (*now.unsound, *now.creating))),
            not_begun=events.untouched(planned) if failure else (),
            outputs=now.outputs,
            state=now.identity,
            log=log,
        )


def _found(record: EffectRecord) -> InFlight:
    return find_process(record.message, record.pid, record.started)


def _no_plan(code: IacErrorCode, message: str, answer: Answer | None = None) -> PlanResult:
    return PlanResult(failure=IacFailure(code=code, message=message, log=answer.log if answer else None))


def _not_applied(code: IacErrorCode, message: str, before: Deployment | None = None) -> ApplyResult:
    state = before.identity if before else StateIdentity()
    return ApplyResult(failure=IacFailure(code=code, message=message), state=state)
