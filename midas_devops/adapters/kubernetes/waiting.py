"""Wait until a Deployment's newest revision has taken over, or until it is clear why it will not."""

from __future__ import annotations

import time

from midas_devops.adapters.kubernetes.cluster import Cluster
from midas_devops.adapters.kubernetes.workload import LASTING, Workload
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import StepFailedError
from midas_devops.errors import ToolError
from midas_devops.ports.deployer import DeployFailure
from midas_devops.ports.iac import Progress

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_PATIENCE = 20.0
"""Seconds that a container may keep failing in the same way: a registry hiccups, a first start races."""


class Waiting:
    """For rollouts of at most ``within`` seconds."""

    def __init__(self, cluster: Cluster, within: float, interrupts: Interrupts, progress: Progress) -> None:
        self._cluster = cluster
        self._within = within
        self._interrupts = interrupts
        self._progress = progress

    def until_complete(self, name: str) -> Workload:
        """The workload, its rollout complete. Raises ``StepFailedError`` with what stands in the way."""
        deadline = time.monotonic() + self._within
        pause, told = _FIRST_PAUSE, ""
        failing, since = "", 0.0
        while True:
            self._interrupts.check()
            workload, trouble = self._look(name)
            if workload is not None and workload.complete and workload.ready_of_newest >= workload.wanted:
                self._progress(f"{name}: {workload.wanted} of {workload.wanted} new pods are ready")
                return workload
            now = f"{name}: {_progress(workload)}" + (f"; {trouble.message}" if trouble else "")
            if now != told:
                self._progress(" ".join(now.split())[:300])
                told = now
            code = trouble.code if trouble and trouble.code in LASTING else ""
            if code != failing:
                failing, since = code, time.monotonic()
            lasting = bool(failing) and time.monotonic() - since >= _PATIENCE
            if lasting or _given_up(workload) or time.monotonic() >= deadline:
                raise self._failed(name, workload, trouble)
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, name: str) -> tuple[Workload | None, DeployFailure | None]:
        try:
            workload = self._cluster.workload(name)
        except ToolError as error:
            # A cluster that is away for a moment says nothing about the release.
            return None, DeployFailure(code="timed_out", message=error.message)
        return workload, workload.trouble() if workload else None

    def _failed(self, name: str, workload: Workload | None, trouble: DeployFailure | None) -> StepFailedError:
        state = f"the rollout of {name} did not complete: {_progress(workload)}"
        if trouble is not None:
            return StepFailedError(trouble.code, f"{state}; {trouble.message}")
        return StepFailedError("timed_out", f"{state} after {self._within:.0f} s")


def _given_up(workload: Workload | None) -> bool:
    progressing = workload.condition("Progressing") if workload and workload.observed else None
    return progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded"


def _progress(workload: Workload | None) -> str:
    if workload is None:
        return "it cannot be seen"
    if workload.deployment["spec"].get("paused"):
        return "its rollout is paused (kubectl rollout resume)"
    return f"{workload.ready_of_newest} of {workload.wanted} new pods are ready"
