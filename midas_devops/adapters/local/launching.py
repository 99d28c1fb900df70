"""Start a release on a port and wait until it is healthy there, or until it is clear that it will not be."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import sockets, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import Journal, StepFailedError, exit_words
from midas_devops.adapters.local.processes import Detached
from midas_devops.adapters.local.record import Service
from midas_devops.adapters.local.target import Target
from midas_devops.ports.deployer import HealthReading


class PortLostError(Exception):
    """Somebody else listens on the port that was free a moment ago."""


class Launching:
    """Starts services for one change. Each is on record before it starts."""

    def __init__(self, target: Target, journal: Journal, interrupts: Interrupts) -> None:
        self._target = target
        self._journal = journal
        self._interrupts = interrupts

    def launch(
        self,
        role: Literal["candidate", "service"],
        *,
        commit: str,
        version: str,
        folder: str,
        port: int,
        way_back: bool = False,
    ) -> Service:
        """Start and wait until healthy. On the ``way_back`` nothing interrupts it, not even a full disk.

        A service that failed is still on record as ``launching``: the caller stops it. Raises
        ``StepFailedError``, :class:`PortLostError`, ``StorageError``, ``KeyboardInterrupt``.
        """
        services = self._target.services
        save = self._journal.save_if_possible if way_back else self._journal.save
        label = f"{version or commit[:12]} {'as a candidate ' if role == 'candidate' else ''}on port {port}"
        intent = services.intend(role, commit=commit, version=version, folder=folder, port=port)
        argv = templates.fill(self._target.settings.start, self._target.values(commit, version, port))
        save(launching=intent)
        self._journal.tell(f"start {label}")
        try:
            service, process = services.start(intent, argv, self._target.releases.path(folder))
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            reason = "there is no such program" if missing else error.strerror or str(error)
            raise StepFailedError(
                "start_failed", f"{label}: {argv[0]} could not be started: {reason}"
            ) from error
        save(launching=service)
        within = self._target.settings.health.within
        if way_back:
            reading = self._wait(service, process, within, interruptible=False)
        else:
            with self._interrupts.allowed():
                reading = self._wait(service, process, within, interruptible=True)
        if role == "candidate" or not reading.healthy:
            self._journal.keep(lambda: self._target.keep_log(service))
        self._judge(service, reading, label)
        return service

    def is_healthy(self, service: Service, within: timedelta, *, interruptible: bool = True) -> bool:
        """Whether a service that was started before lives, listens itself, and answers well."""
        if not self._target.services.lives(service):
            return False
        if interruptible:
            with self._interrupts.allowed():
                reading = self._wait(service, None, within, interruptible=True)
        else:
            reading = self._wait(service, None, within, interruptible=False)
        return bool(reading.healthy) and self._target.services.serves(service)

    def _judge(self, service: Service, reading: HealthReading, label: str) -> None:
        members = self._target.services.members(service)
        listens = sockets.listens(service.port, members)
        if reading.healthy and listens:
            return
        if not listens and sockets.holder(service.port, members):
            raise PortLostError
        said = self._journal.said(self._target.services.log(service))
        elsewhere = sockets.ports_of(members)
        if elsewhere and not listens:
            ports = ", ".join(map(str, elsewhere))
            said = f". It listens on port {ports} instead: let it read {{port}} in start, or PORT{said}"
        raise StepFailedError(
            "health_check_failed" if members else "start_failed", f"{label}: {reading.detail}{said}"
        )

    def _wait(
        self, service: Service, process: Detached | None, within: timedelta, *, interruptible: bool
    ) -> HealthReading:
        def gave_up() -> str:
            if interruptible and self._interrupts.requested:
                return "it was cancelled"
            code = process.poll() if process is not None else None
            if self._target.services.lives(service):
                return ""
            return f"the process ended with {exit_words(code)}"

        health = self._target.settings.health
        return wait_until_healthy(
            self._target.address(service.port),
            status=health.status,
            within=within,
            successes=health.successes,
            gave_up=gave_up,
        )
