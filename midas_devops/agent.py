"""DevOpsAgent: the six interfaces, and the life of a run."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from midas_devops.adapters.connect import connect
from midas_devops.adapters.running import local_services
from midas_devops.config import CONFIG_FILE, Settings, load_settings
from midas_devops.domain.approval import Review
from midas_devops.domain.runs import (
    InfraAction,
    InfrastructureRequest,
    PipelineRequest,
    ReleaseRequest,
)
from midas_devops.errors import (
    ApprovalRefusedError,
    ConfigError,
    ToolError,
    UsageError,
)
from midas_devops.nearest import did_you_mean
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.records import Json, environments_json, run_summary
from midas_devops.run import Run
from midas_devops.use_cases.environment_of import environment_of
from midas_devops.use_cases.given import given_inputs, given_plan_file, given_version

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from midas_devops.outbox import Delivery
    from midas_devops.ports.iac import PlanInputs
    from midas_devops.ports.knowledge import KnowledgeBase
    from midas_devops.runner import Runner

Request = ReleaseRequest | InfrastructureRequest | PipelineRequest


class DevOpsAgent:
    """The DevOps engineer of one project. Use it as a context manager, or call :meth:`close`."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        *,
        on_event: Callable[[RunEvent], None] | None = None,
        ports: Ports | None = None,
    ) -> None:
        self.root = root
        self.settings = settings
        self._on_event = on_event
        self._given_ports = ports
        self._open = ExitStack()

    @classmethod
    def from_project(
        cls, path: str | Path = ".", *, on_event: Callable[[RunEvent], None] | None = None
    ) -> Self:
        """The agent of the project in this folder. Raises ``ConfigError`` for a wrong midas.toml."""
        root = Path(path).resolve()
        if not root.is_dir():
            raise ConfigError(f"there is no folder '{path}'", hint="Give the project's folder.")
        return cls(root, load_settings(root / CONFIG_FILE), on_event=on_event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release everything this process holds."""
        self._open.close()

    # The six interfaces

    def setup_pipeline(
        self,
        repository_url: str,
        config_details: dict[str, Any] | None = None,
        *,
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Run:
        """Detect the repository, render and validate a pipeline, and propose it on a branch."""
        return self._start(
            PipelineRequest(
                repository_url=repository_url,
                config_details=config_details or {},
                requested_by=requested_by or _me(),
                issue_number=issue_number,
            )
        )

    def deploy_release(
        self,
        environment: str,
        version_tag_or_commit: str,
        *,
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Run:
        """Deploy a version, verify it, and roll back when it fails. Raises ``UsageError``."""
        self._known(environment)
        given_version(self.ports, version_tag_or_commit)
        return self._start(
            ReleaseRequest(
                environment=environment,
                version=version_tag_or_commit,
                requested_by=requested_by or _me(),
                issue_number=issue_number,
            )
        )

    def roll_back(
        self,
        environment: str,
        *,
        to_version: str = "",
        reason: str = "",
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Run:
        """Return to a version that was verified there: the one before, or ``to_version``.

        With a reason, the version that is left is blocked until a person lifts it. A person is asked where
        the environment needs approvals. Raises ``UsageError``; with nothing verified the run is blocked.
        """
        self._known(environment)
        if to_version:
            given_version(self.ports, to_version)
        return self._start(
            ReleaseRequest(
                environment=environment,
                version=to_version,
                rollback=True,
                reason=reason.strip(),
                requested_by=requested_by or _me(),
                issue_number=issue_number,
            )
        )

    def manage_infrastructure(
        self,
        action: str,
        config_file: str,
        *,
        environment: str = "",
        variables: Mapping[str, str] | None = None,
        var_files: Sequence[str] = (),
        targets: Sequence[str] = (),
        plan_file: str = "",
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Run:
        """Plan, apply or destroy a configuration.

        Without an environment it is the one that names the configuration in midas.toml, else production.
        ``targets`` limit a plan to some addresses, as an exception. ``plan_file``: carry out a plan that was
        saved with the engine itself. Raises ``UsageError`` and ``ConfigError`` before anything is begun.
        """
        if action not in tuple(InfraAction):
            raise UsageError(
                f"'{action}' is no infrastructure action",
                hint=did_you_mean(action, InfraAction) or f"Use one of {', '.join(InfraAction)}.",
            )
        plan_file = given_plan_file(plan_file, action, bool(variables or var_files or targets))
        inputs = given_inputs(self.ports.redactor, config_file, action, variables or {}, var_files, targets)
        config, environment = self._infrastructure(config_file, environment, inputs)
        return self._start(
            InfrastructureRequest(
                environment=environment,
                action=InfraAction(action),
                config=config,
                variables=inputs.variables,
                var_files=inputs.var_files,
                targets=inputs.targets,
                plan_file=plan_file,
                requested_by=requested_by or _me(),
                issue_number=issue_number,
            )
        )

    def detect_drift(self, config_file: str, *, environment: str = "") -> Json:
        """What changed outside since the last apply: ``drifted`` and ``changes``. Changes nothing itself.

        The environment is found as for :meth:`manage_infrastructure`. Raises ``LeaseTakenError`` and
        ``StateLockedError`` with the holder, ``ToolError`` where the engine could not tell.
        """
        from midas_devops.use_cases.drift import look_for_drift

        config, environment = self._infrastructure(config_file, environment)
        return look_for_drift(self.ports, self.settings, environment, config)

    def infrastructure_outputs(self, config_file: str, *, environment: str = "") -> Json:
        """``outputs`` of the current state as text, and the names of those that are ``sensitive``.

        A sensitive value is never among them. Raises ``ToolError`` where the state cannot be read.
        """
        from midas_devops.use_cases.outputs import read_outputs

        config, environment = self._infrastructure(config_file, environment)
        return read_outputs(self.ports, environment, config)

    def create_workspace(self, config_file: str, *, environment: str = "", requested_by: str = "") -> Json:
        """Make the state's workspace, on record; ``created`` is false when it was there."""
        from midas_devops.use_cases.outputs import make_workspace

        config, environment = self._infrastructure(config_file, environment)
        return make_workspace(self.ports, self.settings, environment, config, requested_by or _me())

    def report_deployment_status(
        self,
        environment: str,
        status: str,
        details: str,
        *,
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Json:
        """Put the outcome of a deployment on record, and on the issue when one is given."""
        self._known(environment)
        from midas_devops.use_cases.status_report import report_status

        by = requested_by or _me()
        return report_status(
            self.ports, self.settings, environment, status, details, by=by, issue_number=issue_number
        )

    def deliver(self) -> Delivery:
        """Tell the tracker now what waits to be told, and say what still does."""
        from midas_devops.outbox import deliver

        return deliver(self.ports, at_once=True)

    def get_environment_url(self, environment_name: str) -> str:
        """Where people reach an environment. Raises ``UsageError`` when that is not known."""
        self._known(environment_name)
        from midas_devops.use_cases.environment_url import environment_url

        return environment_url(self.ports, self.settings, environment_name)

    def get_pipeline_config(self) -> Json:
        """The project's CI/CD pipelines: ``workflows`` of its files, ``host``, and what is ``missing``.

        A host that is not configured or not reachable is told in ``host_problem``.
        """
        from midas_devops.use_cases.project_pipelines import pipeline_config

        return pipeline_config(self.root, self.settings, self._given_ports)

    def pipeline_health(
        self, *, days: int = 30, runs: int = 50, branch: str = "", report_issues: bool = False
    ) -> Json:
        """How the pipelines do, per workflow: success, durations, queue, flaky jobs, the last failure.

        ``branch``: empty is the default branch, ``*`` every one. ``report_issues`` opens, updates or closes
        one issue per workflow; without it nothing is written. Raises ``ConfigError``, ``RemoteError``.
        """
        from midas_devops.use_cases.project_pipelines import pipeline_health, report_pipeline_failures

        def say(text: str) -> None:
            if self._on_event:
                at = datetime.now(UTC)
                event = RunEvent(at=at, run_id="", node="pipelines", kind="progress", text=text)
                self._on_event(event)

        window = {"days": days, "runs": runs, "branch": branch}
        report = pipeline_health(self.root, self.settings, window, ports=self._given_ports, say=say)
        if report_issues:
            report |= report_pipeline_failures(self.ports, self.settings, report, _me())
        return report

    # Runs

    def run(self, run_id: str) -> Run:
        """A run by its id, or by a unique beginning of it. Raises ``UsageError`` with near ids."""
        row = self.ports.ledger.run(run_id)
        if row is None:
            known = [row.run_id for row in self.ports.ledger.runs()]
            raise UsageError(
                f"there is no run '{run_id}', or several begin like this",
                hint=did_you_mean(run_id, known) or "see `midas-devops runs list`",
                location=run_id,
            )
        return Run(self, row.run_id)

    def runs(self, environment: str = "", limit: int = 50) -> list[Json]:
        """Summaries, newest first."""
        ledger = self.ports.ledger
        return [run_summary(ledger, row) for row in ledger.runs(environment=environment, limit=limit)]

    def environments(self) -> list[Json]:
        """What runs where, since when, verified or not."""
        services = local_services(self.root, self.settings)
        return environments_json(self.ports.ledger, self.settings, services)

    def unblock(self, environment: str, version: str, *, by: str, reason: str) -> bool:
        """Lift the block of a bad version, on record. False when it was not blocked."""
        self._known(environment)
        commit = self.ports.source.resolve(version).sha
        return self.ports.ledger.lift_block(environment, commit, by, reason)

    def answer(self, run_id: str, review: Review) -> Run:
        """A person's answer. Raises ``ApprovalRefusedError``; then the run still waits."""
        run = self.run(run_id)
        if run.pending is None:
            raise ApprovalRefusedError(
                f"run {run.id} is not waiting for an answer: it is {run.status}",
                hint=f"midas-devops runs show {run.id}",
                location=run.id,
            )
        self._runner.answer(run.id, review)
        return run

    def resume(self, run_id: str) -> Run:
        """Continue a run that was cut off, or one that was answered on its issue. Others stay as they are."""
        run = self.run(run_id)
        self._runner.resume(run.id)
        return run

    @cached_property
    def knowledge(self) -> KnowledgeBase:
        """The project's knowledge base, created at first use."""
        base = self.ports.knowledge(create=True)
        if base is None:
            raise ConfigError("these ports have no knowledge base", hint="Hand one to Ports(knowledge=…).")
        return base

    @cached_property
    def ports(self) -> Ports:
        """The adapters that midas.toml names."""
        if self._given_ports is not None:
            return self._given_ports
        ports = connect(self.root, self.settings, listen=self._on_event)
        self._open.callback(ports.ledger.close)
        self._open.callback(ports.leases.close)
        return ports

    def tools(self) -> list[BaseTool]:
        """The interfaces as LangChain tools. Approving is not among them: that is a person's."""
        from midas_devops.interfaces.tools import agent_tools

        return agent_tools(self)

    @cached_property
    def _runner(self) -> Runner:
        from midas_devops.runner import Runner

        return Runner(self.root, self.settings, self.ports, self._open)

    def _start(self, request: Request) -> Run:
        return Run(self, self._runner.start(request))

    def _known(self, environment: str) -> None:
        known = self.settings.environments
        if environment not in known:
            raise UsageError(
                f"there is no environment '{environment}' in midas.toml",
                hint=did_you_mean(environment, known) or "Environments: " + (", ".join(known) or "none"),
                location="midas.toml: environments",
            )

    def _infrastructure(
        self, config_file: str, environment: str, inputs: PlanInputs | None = None
    ) -> tuple[str, str]:
        """The configuration's folder and its environment, with an engine that is there."""
        config, environment = environment_of(self.settings, self.root, config_file, environment)
        self._engine_there(environment, config, inputs)
        return config, environment

    def _engine_there(self, environment: str, config: str, inputs: PlanInputs | None) -> None:
        try:
            engine = self.ports.engine(environment, config)
            _ = (engine.given(inputs) if inputs else engine).describe
        except ToolError as missing:
            raise ConfigError(missing.message, hint=missing.hint, location=missing.location) from missing


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the database of users
        return "unknown"
