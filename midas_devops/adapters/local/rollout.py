"""One change of what runs: a candidate proves itself, then takes the port; or everything is as it was.

Each step is on record before it begins. A process that dies at any moment leaves a note and marked processes,
and the next call goes on from there. A step that fails takes the same way back.
"""

from __future__ import annotations

from datetime import timedelta

from midas_devops.adapters.local import logs, sockets
from midas_devops.adapters.local.building import Building
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import Journal, StepFailedError, wait_for
from midas_devops.adapters.local.launching import Launching, PortLostError
from midas_devops.adapters.local.record import Service, is_full
from midas_devops.adapters.local.target import Target
from midas_devops.domain.counting import number
from midas_devops.errors import MidasError, StorageError, ToolError
from midas_devops.ports.deployer import DeployFailure, DeployResult, Release
from midas_devops.ports.iac import Progress

_QUICK_LOOK = timedelta(seconds=5)
"""How long what runs already gets to show that it is healthy."""
_PORT_RELEASE = 5.0
"""Seconds that the system gets to free the port of a stopped service."""
_CANDIDATE_PORTS = 3
"""Spare ports to try: somebody may take one between our finding and our using it."""


class Rollout:
    """One deploy, rollback or stop. The caller holds the environment's lock."""

    def __init__(self, target: Target, progress: Progress, interrupts: Interrupts) -> None:
        self._target = target
        self._journal = Journal(target, progress, interrupts)
        self._building = Building(target, self._journal, interrupts)
        self._launching = Launching(target, self._journal, interrupts)

    def to(self, release: Release) -> DeployResult:
        """Make this release serve. What goes wrong is put back first, and then said in the result.

        Raises ``StorageError`` or ``ToolError`` for what neither the release nor a person did.
        """
        label = _label(release.version, release.commit)
        failure = None
        try:
            self._recover()
            if self._serves_already(release):
                self._journal.tell(f"{label} serves already and is healthy")
            else:
                self._change(release)
        except StepFailedError as failed:
            failure = failed.failure
        except KeyboardInterrupt:
            failure = DeployFailure(code="cancelled", message=f"the deployment of {label} was cancelled")
        except StorageError as error:
            note = self._put_back()
            if not is_full(error):
                raise
            failure = DeployFailure(code="disk_full", message=f"{error.message} ({error.location}). {note}")
        except BaseException:
            self._put_back()
            raise
        else:
            self._prune()
            return self._result(None)
        if note := self._put_back():
            failure = failure.model_copy(update={"message": f"{failure.message}. {note}"})
        self._prune()
        return self._result(failure)

    def stop(self) -> None:
        """Stop whatever runs here and forget it. Raises ``StorageError``, ``ToolError``."""
        self._recover()
        if self._journal.state.serving is not None:
            self._target.services.stop(self._journal.state.serving, self._target.stop_within)
        self._journal.save(serving=None, launching=None, switching=False)

    def _change(self, release: Release) -> None:
        self._check_port()
        folder = self._building.folder_of(release.commit, release.version)
        self._prove(release, folder)
        self._switch(release, folder)

    def _recover(self) -> None:
        """Take over from an interrupted call: adopt the service that it had started, stop everything else."""
        services, state = self._target.services, self._journal.state
        self._target.releases.sweep()
        if state.is_empty and (found := services.unrecorded(self._target.settings.port)):
            self._journal.tell(f"{found.version}, which no note speaks of, runs and is adopted")
            self._journal.save(serving=found)
        if state.launching is not None and state.launching.role == "service":
            found = services.located(state.launching)
            if found and self._launching.is_healthy(found, self._target.settings.health.within):
                self._journal.tell(f"{found.version}, started by an interrupted call, is healthy and stays")
                self._journal.save(serving=found, launching=None, switching=False)
        serving = self._journal.state.serving
        keep = serving.mark if serving is not None and services.lives(serving) else ""
        if stopped := services.stop_strays(keep, self._target.stop_within):
            self._journal.tell(f"stopped {number(stopped, 'process')} that an interrupted call had left")
        if self._journal.state.launching is not None:
            self._journal.save(launching=None)

    def _serves_already(self, release: Release) -> bool:
        serving = self._journal.state.serving
        return (
            serving is not None
            # One that we had begun to stop may be about to end.
            and not self._journal.state.switching
            and serving.commit == release.commit
            and serving.port == self._target.settings.port
            and self._launching.is_healthy(serving, min(_QUICK_LOOK, self._target.settings.health.within))
        )

    def _check_port(self) -> None:
        port, serving = self._target.settings.port, self._journal.state.serving
        ours = self._target.services.members(serving) if serving is not None else {}
        if other := sockets.holder(port, ours):
            raise StepFailedError(
                "port_in_use",
                f"port {port} is held by {other}; nothing was changed. Stop it, or choose another port",
            )

    def _prove(self, release: Release, folder: str) -> None:
        """The release on a spare port; it is stopped there in any case."""
        for _ in range(_CANDIDATE_PORTS):
            port = sockets.spare_port(self._target.settings.port)
            try:
                self._launching.launch(
                    "candidate", commit=release.commit, version=release.version, folder=folder, port=port
                )
            except PortLostError:
                continue
            finally:
                self._drop_launched()
            self._journal.tell(f"{_label(release.version, release.commit)} is healthy as a candidate")
            return
        raise StepFailedError("start_failed", "no spare port stayed free for the candidate")

    def _switch(self, release: Release, folder: str) -> None:
        port, old = self._target.settings.port, self._journal.state.serving
        self._journal.save(switching=True)
        if old is not None:
            self._journal.tell(f"stop {_label(old.version, old.commit)}")
            self._stop(old)
        if not wait_for(lambda: sockets.is_free(port), _PORT_RELEASE):
            raise StepFailedError("port_in_use", f"port {port} is held by {self._holder(port)}")
        try:
            service = self._launching.launch(
                "service", commit=release.commit, version=release.version, folder=folder, port=port
            )
        except PortLostError as error:
            raise StepFailedError(
                "port_in_use", f"port {port} was taken meanwhile by {self._holder(port)}"
            ) from error
        # When this cannot be written the note of the launch is enough for the next call to find it.
        self._journal.save_if_possible(serving=service, launching=None, switching=False)
        self._journal.tell(f"{_label(release.version, release.commit)} serves on port {port}")

    def _stop(self, old: Service) -> None:
        try:
            self._target.services.stop(old, self._target.stop_within)
        except ToolError as error:
            raise StepFailedError("port_in_use", f"{old.version}: {error.message} ({error.hint})") from error

    def _put_back(self) -> str:
        """Stop what was launched; start the former service again if we had stopped it. Says what was done."""
        try:
            self._drop_launched()
            if not self._journal.state.switching:
                return ""
            if self._journal.state.serving is not None:
                return self._restore(self._journal.state.serving)
            self._journal.save_if_possible(switching=False)
        except (MidasError, StepFailedError, OSError) as error:
            note = f"It could not be put back: {error}"
            self._journal.tell(note)
            return note
        return ""

    def _restore(self, old: Service) -> str:
        label = _label(old.version, old.commit)
        if self._launching.is_healthy(old, _QUICK_LOOK, interruptible=False):
            self._journal.save_if_possible(switching=False)
            return f"{label} still serves"
        self._target.services.stop(old, self._target.stop_within)
        self._journal.tell(f"put {label} back")
        try:
            folder = old.folder
            if not self._target.releases.path(folder).is_dir():
                folder = self._building.folder_of(old.commit, old.version, way_back=True)
            service = self._launching.launch(
                "service",
                commit=old.commit,
                version=old.version,
                folder=folder,
                port=old.port,
                way_back=True,
            )
        except StepFailedError as failed:
            return self._half_restored(label, failed.failure.message)
        except PortLostError:
            return self._half_restored(label, f"port {old.port} was taken by {self._holder(old.port)}")
        self._journal.save_if_possible(serving=service, launching=None, switching=False)
        self._journal.tell(f"{label} serves again")
        return f"{label} serves again"

    def _half_restored(self, label: str, why: str) -> str:
        """A former service that listens, though unhealthy, is better than none: it stays, which is said."""
        left = self._target.services.located(self._journal.state.launching)
        if left is not None and self._target.services.serves(left):
            self._journal.save_if_possible(serving=left, launching=None, switching=False)
            return f"{label} was started again, but is not healthy: {why}"
        self._drop_launched()
        self._journal.save_if_possible(serving=None, switching=False)
        return f"{label} could not be started again, nothing serves now: {why}"

    def _drop_launched(self) -> None:
        launched = self._journal.state.launching
        if launched is not None:
            self._target.services.stop(launched, self._target.stop_within)
            self._journal.save_if_possible(launching=None)

    def _prune(self) -> None:
        """Old folders and logs; one that cannot be deleted is said and left."""
        serving, keep = self._journal.state.serving, self._target.settings.keep_releases
        try:
            gone = self._target.releases.prune(
                keep, [serving.folder] if serving else [], self._target.verified
            )
            logs.prune(self._target.services.logs, keep + 1, serving.log if serving else "")
        except (MidasError, OSError) as error:
            self._journal.tell(f"old releases were not all deleted: {error}")
            return
        if gone:
            self._journal.tell(f"deleted {number(len(gone), 'old release')}")

    def _result(self, failure: DeployFailure | None) -> DeployResult:
        self._journal.raise_receivers_error()
        if failure is not None:
            failure = failure.model_copy(update={"message": self._target.redact(failure.message)})
        serving = self._target.running(self._target.serving(self._journal.state))
        return DeployResult(failure=failure, serving=serving, logs=tuple(self._journal.logs))

    @staticmethod
    def _holder(port: int) -> str:
        return sockets.holder(port, ()) or "a process that is gone by now"


def _label(version: str, commit: str) -> str:
    return f"{version} ({commit[:12]})" if version and not commit.startswith(version) else commit[:12]
