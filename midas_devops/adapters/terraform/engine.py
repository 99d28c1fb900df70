"""IacEngine for the Terraform family: plan, apply of exactly the saved plan, and what the state says."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from midas_devops.adapters.terraform import configuration as files
from midas_devops.adapters.terraform import sensitive
from midas_devops.adapters.terraform.commands import Answer, failure_of, written_as_text
from midas_devops.adapters.terraform.drafts import try_draft
from midas_devops.adapters.terraform.drift import read_drift
from midas_devops.adapters.terraform.inputs import gather, refuse_sensitive
from midas_devops.adapters.terraform.processes import find_engine, start_time
from midas_devops.adapters.terraform.saved_plan import foreign, read_origin
from midas_devops.adapters.terraform.session import Session
from midas_devops.adapters.terraform.state import StateFacts, plan_time_identity
from midas_devops.adapters.terraform.stream import EngineStream
from midas_devops.adapters.terraform.workspace import EffectRecord, Place, Workspace
from midas_devops.config import Infrastructure
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.plan_document import read_plan
from midas_devops.domain.planned_values import planned_resources
from midas_devops.errors import MidasError, ToolError, UnreadableError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import (
    ApplyResult,
    DraftResult,
    DriftResult,
    IacErrorCode,
    IacFailure,
    InFlight,
    PlanInputs,
    PlanResult,
    Progress,
)

_NO_INPUTS = PlanInputs()


class TerraformEngine:
    """One configuration of one environment. See :class:`midas_devops.ports.iac.IacEngine`.

    The engine runs in the configuration's folder, keeps its data directory under ``.midas`` and writes to
    files only, so that it outlives us. Raises ``UsageError`` when ``config`` is not in the project.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        config: Path,
        infrastructure: Infrastructure,
        artifacts: Artifacts,
        environ: Mapping[str, str],
        *,
        inputs: PlanInputs = _NO_INPUTS,
    ) -> None:
        located = files.locate(root, config)
        self._inputs = gather(located.root, infrastructure, inputs)
        self._configuration = replace(located, var_files=(*located.var_files, *self._inputs.var_files))
        self._bound = (root, environment, config, infrastructure, artifacts, environ)
        self._settings = infrastructure
        self._artifacts = artifacts
        self._environ = dict(environ)
        if infrastructure.workspace:
            self._environ["TF_WORKSPACE"] = infrastructure.workspace
        self._workspace = Workspace(self._configuration.root, environment, self._configuration)
        self._session = Session(
            self._workspace,
            infrastructure,
            artifacts,
            self._environ,
            self._inputs.init_arguments,
            self._inputs.init_identity,
        )

    def given(self, inputs: PlanInputs) -> TerraformEngine:
        """The same engine with a request's inputs. Raises ``UsageError``."""
        engine = TerraformEngine(*self._bound, inputs=inputs)
        refuse_sensitive(engine._inputs, sensitive.variables_declared(engine._configuration))
        return engine

    @property
    def describe(self) -> str:
        """Engine and version, ``terraform 1.15.2 (embedded)``. Raises ``ToolError`` when there is none."""
        return self._session.program.label(self._session.version)

    def config_sha256(self) -> str:
        """Content hash of the configuration as it stands, uncommitted edits and local modules included."""
        return files.combined(self._fingerprints(self._configuration))

    def state_identity(self) -> StateIdentity:
        """Lineage and serial of the state as the backend has it now. Raises ``ToolError``."""
        return self._session.state(self._session.place("")).identity

    def outputs(self) -> dict[str, str]:
        """Non-sensitive outputs of the current state, as text. Raises ``ToolError``."""
        return self._session.state(self._session.place("")).outputs or {}

    def validate(self, progress: Progress) -> IacFailure | None:
        """None when the configuration initialises and validates."""
        answer = self._session.validate(self._session.place(""), progress)
        if isinstance(answer, IacFailure):
            return answer
        return None if answer.ok else failure_of(answer, "validating", "invalid_configuration")

    def plan(self, progress: Progress, *, destroy: bool = False, config_commit: str = "") -> PlanResult:
        """Plan and save. ``config_commit``: the configuration of an earlier commit, against today's state."""
        try:
            place = self._session.place(config_commit)
        except ToolError as error:
            return PlanResult(failure=IacFailure(code="plan_failed", message=f"planning: {error.message}"))
        before = self._fingerprints(place.configuration)
        with self._session.scratch() as scratch:
            saved = scratch / "saved.tfplan"
            arguments = [*self._plan_arguments(place, saved), *(["-destroy"] if destroy else [])]
            answer = self._session.run(place, "plan", arguments, progress)
            if isinstance(answer, IacFailure):
                return PlanResult(failure=answer)
            if not answer.ok:
                return PlanResult(failure=failure_of(answer, "planning", "plan_failed"))
            after = self._fingerprints(place.configuration)
            if files.configuration_text(before) != files.configuration_text(after):
                message = "planning: the configuration was edited meanwhile; plan it again"
                return PlanResult(failure=IacFailure(code="plan_failed", message=message, log=answer.log))
            shown = self._shown(place, saved, answer, files.combined(after), config_commit)
        return shown.model_copy(update={"targets": self._inputs.targets})

    def adopt(self, plan_file: Path, progress: Progress) -> PlanResult:
        """Take over a plan that somebody saved with this engine: copied, read and checked, not applied."""
        place = self._session.place("")
        attempted = f"taking over the plan {plan_file.name}"
        if failure := self._session.initialise(place, progress):
            return PlanResult(failure=failure)
        with self._session.scratch() as scratch:
            saved = scratch / "saved.tfplan"
            try:
                shutil.copyfile(plan_file, saved)
                saved.chmod(0o600)
                origin = read_origin(saved)
            except (OSError, UnreadableError) as error:
                seen = error.message if isinstance(error, UnreadableError) else error.strerror
                return _not_taken("foreign_plan", f"{attempted}: {seen}")
            backend = self._session.backend(place)
            if wrong := foreign(origin, place.configuration, backend, self._session.version):
                return _not_taken("foreign_plan", f"{attempted}: {wrong}")
            now = self._session.state(place).identity
            if plan_time_identity(saved, backend.identity_workspace) != now:
                return _not_taken("stale_plan", f"{attempted}: it is stale, the state has changed since")
            before = files.combined(self._fingerprints(place.configuration))
            result = self._shown(place, saved, None, before)
        return result.model_copy(update={"targets": origin.targets})

    def create_workspace(self, progress: Progress) -> bool:
        """Make sure that the state's workspace is there; True when it was made. Raises ``ToolError``."""
        return self._session.create_workspace(self._session.place(""), progress)

    def resource_types(self) -> set[str]:
        """Types of the managed resources in the last plan."""
        plan_json = self._artifacts.find(self._workspace.last_plan_json())
        found = planned_resources(self._artifacts.get(plan_json)) if plan_json is not None else ()
        return {one.type for one in found}

    def try_draft(self, files: Mapping[str, str], progress: Progress) -> DraftResult:
        """Format, validate and plan the configuration with these files in a copy. Nothing is kept."""
        place = self._session.place("")
        arguments = [self._lock_timeout, *self._inputs.plan_arguments(place.configuration.var_files)]
        shaping = self._fingerprints(place.configuration)
        return try_draft(self._session, place.configuration, shaping, files, arguments, progress)

    def drift(self, progress: Progress) -> DriftResult:
        """What changed outside since the last apply. The plan that is made for it is never kept."""
        place = self._session.place("")
        with self._session.scratch() as scratch:
            saved, shown = scratch / "drift.tfplan", scratch / "drift.json"
            arguments = [*self._plan_arguments(place, saved), "-refresh-only"]
            answer = self._session.run(place, "plan", arguments, progress)
            if isinstance(answer, IacFailure):
                return DriftResult(failure=answer)
            if not answer.ok:
                return DriftResult(failure=failure_of(answer, "looking for drift", "plan_failed"))
            show = self._session.commands.document(place, ["show", "-json", "-no-color", str(saved)], shown)
            if not show.ok:
                return DriftResult(failure=failure_of(show, "reading what drifted", "plan_failed"))
            try:
                changes = read_drift(shown.read_bytes())
            except UnreadableError as error:
                message = f"reading what drifted: {error.message}"
                return DriftResult(failure=IacFailure(code="plan_failed", message=message, log=answer.log))
        return DriftResult(changes=changes, engine=self._session.program.label(answer.stream.version))

    def apply(self, saved_plan: ArtifactRef, progress: Progress, *, effect: str) -> ApplyResult:
        """Apply exactly this saved plan. ``effect`` names the run's step, for :meth:`in_flight`."""
        path = self._artifacts.path(saved_plan)
        place = self._session.place(self._workspace.commit_of(saved_plan.sha256))
        log = self._workspace.effect_log(effect)

        def record(pid: int) -> None:
            began = start_time(pid) if pid else 0.0
            self._workspace.write_effect(EffectRecord(effect, saved_plan.sha256, path, log, pid, began))

        # Without a process id yet: should we die before it is known, the plan's path still finds the engine.
        record(0)
        arguments = [self._lock_timeout, str(path)]
        answer = self._session.run(place, "apply", arguments, progress, log=log, on_start=record)
        if isinstance(answer, IacFailure):
            result = ApplyResult(failure=answer, log=answer.log)
        else:
            failure = None if answer.ok else failure_of(answer, "applying", "apply_failed")
            result = self._applied(place, answer.stream, failure, answer.log)
        self._workspace.drop_effect(effect)
        return result

    def in_flight(self, effect: str) -> InFlight:
        """Whether an engine started for this effect by a process that died is still at work."""
        record = self._workspace.read_effect(effect)
        return find_engine(record) if record else InFlight(alive=False)

    def left_behind(self, effect: str) -> ApplyResult | None:
        """What an apply did whose own process of ours died, read from the output that it left.

        None when no such output is there. Only to be asked once :meth:`in_flight` says that the engine ended.
        """
        record = self._workspace.read_effect(effect)
        if record is None or not record.log.is_file():
            return None
        stream = EngineStream(self._configuration.relative)
        name = f"{self._session.program.name}-apply.log"
        with self._session.scratch() as scratch:
            with (
                written_as_text(scratch / "apply.txt") as (text, write),
                record.log.open(encoding="utf-8", errors="replace") as lines,
            ):
                for line in lines:
                    write(stream.read(line.rstrip("\n"))[0])
            log = self._artifacts.put_file(text, name, private=True)
        failure = None
        if stream.errors or not stream.finished:
            seen = stream.errors[0].summary if stream.errors else "it ended without saying how"
            message = f"applying: {seen}"
            failure = IacFailure(code="apply_failed", message=message, diagnostics=stream.errors, log=log)
        place = self._session.place(self._workspace.commit_of(record.plan_sha256))
        return self._applied(place, stream, failure, log)

    def sensitive_outputs(self) -> tuple[str, ...]:
        """Names of the sensitive outputs of the current state. Raises ``ToolError``."""
        return self._session.state(self._session.place("")).sensitive_outputs

    def sensitive_values(self) -> Iterable[str]:
        """Values marked as sensitive in the last plan and state, for the redactor. Never store them.

        What the configuration's own path holds is no secret: a run finds it by that path.
        """
        found = set(sensitive.in_configuration(self._configuration, self._environ))
        openly = sensitive.said_openly(self._configuration)
        with contextlib.suppress(MidasError):
            plan_json = self._artifacts.find(self._workspace.last_plan_json())
            if plan_json is not None:
                found.update(sensitive.in_plan(self._artifacts.get(plan_json), openly))
        with contextlib.suppress(MidasError):
            found.update(sensitive.in_state(self._session.state_bytes(self._session.place("")), openly))
        return sorted(value for value in found if value and value not in self._configuration.relative)

    def _plan_arguments(self, place: Place, saved: Path) -> list[str]:
        inputs = self._inputs.plan_arguments(place.configuration.var_files)
        return [f"-out={saved}", self._lock_timeout, *inputs]

    def _fingerprints(self, configuration: files.Configuration) -> dict[str, str]:
        return {**files.fingerprints(configuration), **self._inputs.fingerprints()}

    @property
    def _lock_timeout(self) -> str:
        return f"-lock-timeout={round(self._settings.lock_wait.total_seconds())}s"

    def _shown(
        self, place: Place, saved: Path, answer: Answer | None, config_sha256: str, commit: str = ""
    ) -> PlanResult:
        """The saved plan as JSON, read, and both kept as private artifacts. No ``answer``: it is not ours."""
        shown = saved.with_name("plan.json")
        show = self._session.commands.document(place, ["show", "-json", "-no-color", str(saved)], shown)
        if not show.ok:
            return PlanResult(failure=failure_of(show, "reading the saved plan", "plan_failed"))
        try:
            document = read_plan(shown.read_bytes())
        except UnreadableError as error:
            message = f"reading the saved plan: {error.message}"
            log = answer.log if answer else None
            return PlanResult(failure=IacFailure(code="plan_failed", message=message, log=log))
        state = plan_time_identity(saved, self._session.backend(place).identity_workspace)
        saved_plan = self._artifacts.put_file(saved, "saved.tfplan", private=True)
        plan_json = self._artifacts.put_file(shown, "plan.json", private=True)
        self._workspace.remember_plan(saved_plan.sha256, plan_json.sha256, commit)
        return PlanResult(
            saved_plan=saved_plan,
            plan_json=plan_json,
            counts=document.counts,
            changes=tuple(change.as_value() for change in document.changes),
            prior_addresses=document.prior_addresses,
            dependents=document.dependents,
            outputs_changed=document.outputs_changed,
            state=self._session.state(place).identity if state is None else state,
            config_sha256=config_sha256,
            engine=self._session.program.label((answer and answer.stream.version) or document.engine_version),
        )

    def _applied(
        self, place: Place, stream: EngineStream, failure: IacFailure | None, log: ArtifactRef | None
    ) -> ApplyResult:
        facts = StateFacts()
        with contextlib.suppress(ToolError):
            facts = self._session.state(place)
        outputs = stream.outputs if failure is None and stream.outputs is not None else facts.outputs
        return ApplyResult(
            failure=failure,
            created=stream.completed_with("create"),
            changed=stream.completed_with("update"),
            destroyed=stream.completed_with("delete"),
            failed=tuple(dict.fromkeys((*stream.errored, *stream.unfinished()))),
            tainted=facts.tainted,
            deposed=facts.deposed,
            orphans=tuple(name for name in stream.cut_off_creations() if name not in facts.addresses),
            not_begun=stream.not_begun() if failure else (),
            outputs=outputs or {},
            state=facts.identity,
            log=log,
        )


def _not_taken(code: IacErrorCode, message: str) -> PlanResult:
    return PlanResult(failure=IacFailure(code=code, message=message))
