"""DevOpsAgent: the six interfaces, and the life of a run."""

from __future__ import annotations

import getpass
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from midas_devops.adapters.connect import connect
from midas_devops.adapters.running import local_services
from midas_devops.config import CONFIG_FILE, Settings, environment_for_config, load_settings
from midas_devops.domain.approval import Review
from midas_devops.domain.changes import Pending
from midas_devops.domain.runs import (
    InfraAction,
    InfrastructureRequest,
    PipelineRequest,
    ReleaseRequest,
    parse_request,
)
from midas_devops.errors import (
    ApprovalRefusedError,
    ConfigError,
    StorageError,
    ToolError,
    UsageError,
)
from midas_devops.nearest import did_you_mean
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.records import Json, environments_json, run_summary
from midas_devops.run import Run

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from midas_devops.ports.knowledge import KnowledgeBase

Request = ReleaseRequest | InfrastructureRequest | PipelineRequest
LONGEST_STATUS = 64


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
        self.ports.source.resolve(version_tag_or_commit)
        return self._start(
            ReleaseRequest(
                environment=environment,
                version=version_tag_or_commit,
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
        requested_by: str = "",
        issue_number: int | None = None,
    ) -> Run:
        """Plan, apply or destroy a configuration.

        Without an environment it is the one that names the configuration in midas.toml, else production.
        """
        if action not in tuple(InfraAction):
            raise UsageError(
                f"'{action}' is no infrastructure action",
                hint=did_you_mean(action, InfraAction) or f"Use one of {', '.join(InfraAction)}.",
            )
        config, environment = self._infrastructure(config_file, environment)
        return self._start(
            InfrastructureRequest(
                environment=environment,
                action=InfraAction(action),
                config=config,
                requested_by=requested_by or _me(),
                issue_number=issue_number,
            )
        )

    def detect_drift(self, config_file: str, *, environment: str = "") -> Json:
        """What changed outside since the last apply: ``drifted`` and ``changes``. Changes nothing itself.

        The environment is found as for :meth:`manage_infrastructure`. Raises ``LeaseTakenError`` and
        ``StateLockedError`` with the holder, ``ToolError`` where the engine could not tell.
        """
        from midas_devops.drift import look_for_drift

        config, environment = self._infrastructure(config_file, environment)
        return look_for_drift(self.ports, self.settings, environment, config)

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
        status = status.strip()
        if not status or len(status) > LONGEST_STATUS:
            raise UsageError(f"a status is one to {LONGEST_STATUS} characters, for example 'succeeded'")
        said = {"environment": environment, "status": status, "details": details}
        said = self.ports.redactor.json(said)
        actor = requested_by or _me()
        self.ports.ledger.audit("", actor, "deployment status", data=said)
        tracked = ""
        if self.ports.tracker is not None and issue_number is not None:
            body = f"**{environment}**: **{said['status']}**\n\n{said['details']}"
            tracked = self.ports.tracker.add_issue_comment(issue_number, body, marker=f"status-{environment}")
        return {**said, "reported_by": actor, "at": self.ports.clock().isoformat(), "comment": tracked}

    def get_environment_url(self, environment_name: str) -> str:
        """Where people reach an environment. Raises ``UsageError`` when that is not known."""
        self._known(environment_name)
        environment = self.settings.environments[environment_name]
        if environment.url:
            return environment.url
        if environment.url_output and environment.infrastructure:
            engine = self.ports.engine(environment_name, environment.infrastructure.config)
            outputs = engine.outputs()
            if environment.url_output in outputs:
                return outputs[environment.url_output]
        url = self.ports.deployer(environment_name).url() if environment.deploy else ""
        if not url:
            raise UsageError(
                f"the address of '{environment_name}' is not known",
                hint=f"Set environments.{environment_name}.url, or url_output, in midas.toml.",
            )
        return url

    def get_pipeline_config(self) -> Json:
        """The project's CI/CD pipelines as its files say: ``workflows`` and what is ``missing``."""
        from midas_devops.pipelines.describe import describe
        from midas_devops.pipelines.tree import FolderTree
        from midas_devops.safety.redaction import Redactor

        redactor = Redactor.from_environment(os.environ, self.settings)
        return describe(FolderTree(self.root), redactor.text).model_dump(mode="json")

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
        waiting = run.pending
        if waiting is None:
            raise ApprovalRefusedError(
                f"run {run.id} is not waiting for an answer: it is {run.status}",
                hint=f"midas-devops runs show {run.id}",
                location=run.id,
            )
        self._refuse_early(run, review, Pending.model_validate(waiting))
        from langgraph.types import Command

        at_interrupt = "human_review" in self._graph.get_state(self._config(run.id)).next
        self._carry_on(
            run.id, Command(resume=self.ports.redactor.json(review.model_dump())) if at_interrupt else None
        )
        return run

    def resume(self, run_id: str) -> Run:
        """Continue a run that was cut off. Finished and waiting runs stay as they are."""
        run = self.run(run_id)
        row = self.ports.ledger.run(run.id)
        if row is None or row.ended_at is not None:
            return run
        state = self._graph.get_state(self._config(run.id))
        if "human_review" in state.next and run.pending:
            return run
        begun = bool(state.next)
        self._carry_on(run.id, None if begun else {"request": row.record["request"], "run_id": run.id})
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

    # The life of a run

    def _start(self, request: Request) -> Run:
        from midas_devops.nodes.receive import new_run_id

        run_id = new_run_id(self.ports.clock())
        self._carry_on(run_id, {"request": request.model_dump(mode="json"), "run_id": run_id})
        return Run(self, run_id)

    def _carry_on(self, run_id: str, payload: Any) -> None:
        with _stored(self.settings), self._releasing(run_id):
            self._graph.invoke(payload, self._config(run_id), durability="sync")

    @contextmanager
    def _releasing(self, run_id: str) -> Iterator[None]:
        try:
            yield
        finally:
            self.ports.leases.release_all(run_id)

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from midas_devops.adapters.checkpoints import open_checkpointer
        from midas_devops.graph import build_graph

        saver = self._open.enter_context(open_checkpointer(self.settings.storage.url, self.root))
        return build_graph(self.ports, self.settings).compile(checkpointer=saver, name="midas-devops")

    @staticmethod
    def _config(run_id: str) -> Any:
        from midas_devops.graph import RECURSION_LIMIT

        return {"configurable": {"thread_id": run_id}, "recursion_limit": RECURSION_LIMIT}

    def _refuse_early(self, run: Run, review: Review, pending: Pending) -> None:
        """A mistyped answer must not end a run; an expired question must."""
        from midas_devops.nodes.record_review import why_refused

        request = parse_request(run.to_json()["request"])
        why_not = why_refused(self.ports, self.settings, request, run.id, review, pending)
        if why_not and "expired" not in why_not:
            self.ports.ledger.audit(run.id, review.by, "answer refused", rule="3", data={"why": why_not})
            raise ApprovalRefusedError(
                f"not taken: {why_not}",
                hint=f"Nothing was done; the run still waits. midas-devops runs show {run.id}",
                location=run.id,
            )

    def _known(self, environment: str) -> None:
        known = self.settings.environments
        if environment not in known:
            raise UsageError(
                f"there is no environment '{environment}' in midas.toml",
                hint=did_you_mean(environment, known) or "Environments: " + (", ".join(known) or "none"),
                location="midas.toml: environments",
            )

    def _infrastructure(self, config_file: str, environment: str) -> tuple[str, str]:
        """The configuration's folder and its environment, with an engine that is there."""
        config = self._configuration(config_file)
        named = environment_for_config(self.settings, self.root, config)
        if environment and environment != named:
            self._refuse_other_environment(config, named, environment)
        self._engine_there(environment or named, config)
        return config, environment or named

    def _refuse_other_environment(self, config: str, named: str, environment: str) -> None:
        """No caller's flag lifts a guard: a configuration is its own environment's, or else production."""
        owner = self.settings.environments.get(named)
        if owner is not None and owner.infrastructure is not None:
            raise UsageError(
                f"{config} belongs to '{named}' in midas.toml, not to '{environment}'",
                hint=f"Leave --env out, or use --env {named}.",
            )
        if not self.settings.environment(environment).is_production:
            raise UsageError(
                f"no environment in midas.toml names {config}: it counts as production, not '{environment}'",
                hint=f'Set config = "{config}" in [environments.{environment}.infrastructure].',
            )

    def _engine_there(self, environment: str, config: str) -> None:
        try:
            _ = self.ports.engine(environment, config).describe
        except ToolError as missing:
            raise ConfigError(missing.message, hint=missing.hint, location=missing.location) from missing

    def _configuration(self, config: str) -> str:
        path = (self.root / config).resolve()
        if not path.exists():
            raise UsageError(f"there is no configuration '{config}'", hint="Give a folder, or a file in it.")
        folder = path if path.is_dir() else path.parent
        if not folder.is_relative_to(self.root):
            raise UsageError(f"'{config}' lies outside the project {self.root}")
        return folder.relative_to(self.root).as_posix()


@contextmanager
def _stored(settings: Settings) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as broken:
        raise StorageError(
            f"the checkpoint of this run could not be written: {broken}",
            hint="Make room or mend the database, then `midas-devops runs resume`.",
            location=settings.storage.url,
        ) from broken


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the database of users
        return "unknown"
