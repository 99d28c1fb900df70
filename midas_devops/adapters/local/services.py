"""The services of one environment: started, found again by a later process, and stopped completely."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from midas_devops.adapters.local import processes, sockets
from midas_devops.adapters.local.processes import Birth, Detached
from midas_devops.adapters.local.record import Service
from midas_devops.domain.digest import sha256_hex
from midas_devops.safety.private import private_folder

VARIABLE = "MIDAS_SERVICE"
"""``<environment>:<home>-<token>`` in the environment of whatever we start: how a later process finds it."""


RELEASE = "MIDAS_RELEASE"
"""What a service is, in its own environment: a note that is lost takes nothing away from what runs."""


class Services:
    """Everything that runs for one environment from one home folder."""

    def __init__(self, environment: str, home: Path, environ: Mapping[str, str], logs: Path) -> None:
        self._prefix = f"{environment}:{sha256_hex(os.fsencode(home))[:12]}-"
        self._environ = environ
        self.logs = logs

    def intend(
        self, role: Literal["candidate", "service"], *, commit: str, version: str, folder: str, port: int
    ) -> Service:
        """What is about to be started, to be put on record before it is."""
        mark = self.mark()
        return Service(
            mark=mark,
            role=role,
            commit=commit,
            version=version,
            port=port,
            folder=folder,
            log=f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{commit[:12]}-{role}-{mark[-8:]}.log",
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def mark(self) -> str:
        return self._prefix + secrets.token_hex(8)

    def environment(self, mark: str) -> dict[str, str]:
        """What a build gets; a service gets ``PORT`` besides."""
        return {**self._environ, VARIABLE: mark}

    def start(self, service: Service, argv: Sequence[str], cwd: Path) -> tuple[Service, Detached]:
        """Raises ``OSError`` when the program cannot be started, ``StorageError``."""
        private_folder(self.logs)
        env = self.environment(service.mark) | {"PORT": str(service.port), RELEASE: service.model_dump_json()}
        # A service that is killed would otherwise take its last words with it.
        env.setdefault("PYTHONUNBUFFERED", "1")
        process = processes.start(argv, cwd=cwd, env=env, log=self.log(service))
        started = {"pid": process.pid, "born": processes.birth(process.pid), "boot_id": processes.boot_id()}
        return service.model_copy(update=started), process

    def log(self, service: Service) -> Path:
        return self.logs / service.log

    def located(self, service: Service | None) -> Service | None:
        """The service with its process, or None when nothing of it lives.

        Finds the one that was started in the moment before its process id could be put on record, and the
        rest of one whose first process went away.
        """
        if service is None or self._leads(service):
            return service
        members = self.members(service)
        if not members:
            return None
        leader = processes.group_leader(members)
        return service.model_copy(
            update={"pid": leader, "born": members[leader], "boot_id": processes.boot_id()}
        )

    def unrecorded(self, port: int) -> Service | None:
        """A service of this environment that listens on its port although no note speaks of it."""
        for text in processes.values_of(RELEASE, VARIABLE, lambda mark: mark.startswith(self._prefix)):
            try:
                service = Service.model_validate_json(text)
            except ValidationError:
                continue
            if service.role == "service" and service.port == port:
                located = self.located(service)
                if self.serves(located):
                    return located
        return None

    def lives(self, service: Service) -> bool:
        return self._leads(service) or bool(self.members(service))

    def serves(self, service: Service | None) -> bool:
        """Whether it lives and is itself the one that listens on its port."""
        if service is None:
            return False
        members = self.members(service)
        return bool(members) and sockets.listens(service.port, members)

    def members(self, service: Service) -> dict[int, Birth]:
        leaders = [service.pid] if self._leads(service) else []
        return processes.family(VARIABLE, lambda mark: mark == service.mark, leaders)

    def stop(self, service: Service, within: float) -> None:
        """All of it, also what it put into sessions of their own. Raises ``ToolError``."""
        leader = service.pid if self._leads(service) else 0
        processes.stop(lambda: self.members(service), leader, within)

    def stop_strays(self, keep: str, within: float) -> int:
        """Stop whatever an interrupted process left running, but the service marked ``keep``; how many."""

        def strays() -> dict[int, Birth]:
            return processes.family(VARIABLE, lambda mark: mark.startswith(self._prefix) and mark != keep)

        count = len(strays())
        if count:
            processes.stop(strays, 0, within)
        return count

    def _leads(self, service: Service) -> bool:
        """Whether exactly the process on record lives."""
        if not service.pid or not service.born or service.boot_id != processes.boot_id():
            return False
        return processes.lives(service.pid, service.born)
