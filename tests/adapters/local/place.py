"""A real repository, a real port and real processes for the tests of the local deployer."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.adapters.git import GitSource
from midas_devops.adapters.local.deployer import LocalDeployer
from midas_devops.config import Health, LocalDeploy
from midas_devops.ports.deployer import Release

REPOSITORY = Path(__file__).parents[3]
APP = Path(__file__).with_name("service_app.py")
DRIVER = Path(__file__).with_name("driver.py")
GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid")


class Place:
    """One project with one environment, ``staging``."""

    def __init__(self, root: Path, mark: str) -> None:
        self.root = root
        self.home = root / ".midas" / "local" / "staging"
        self.port = free_port()
        self.mark = mark
        self.environ = {**os.environ, "MIDAS_TEST": mark, "APP_PUBLIC_PORT": str(self.port)}
        self.lines: list[str] = []
        self._drivers: list[subprocess.Popen[str]] = []
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        shutil.copy(APP, root / "app.py")

    def git(self, *arguments: str) -> str:
        done = subprocess.run([*GIT, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def release(self, version: str, mode: str = "", **files: str) -> Release:
        """Commit and tag a version of the service that behaves as ``mode`` says."""
        (self.root / "VERSION").write_text(version)
        (self.root / "mode").write_text(mode)
        for name, text in files.items():
            (self.root / name.replace("__", ".")).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", f"Release {version}")
        self.git("tag", version)
        return Release(
            run_id="run-1", environment="staging", version=version, commit=self.git("rev-parse", "HEAD")
        )

    def settings(self, **changes: Any) -> LocalDeploy:
        health = Health(path="/health", within=timedelta(seconds=changes.pop("within", 30)))
        given = {
            "start": (sys.executable, "app.py"),
            "port": self.port,
            "health": health,
            "stop_within": timedelta(seconds=10),
        }
        return LocalDeploy(using="local", **(given | changes))

    def deployer(self, **changes: Any) -> LocalDeployer:
        """A new object, as a new process would make it."""
        verified: Callable[[str], bool] = changes.pop("verified", lambda _: False)
        home: Path = changes.pop("home", self.home)
        return LocalDeployer(
            "staging",
            self.settings(**changes),
            home=home,
            source=GitSource(self.root),
            artifacts=self.artifacts(),
            environ=self.environ,
            verified=verified,
        )

    def deploy(self, release: Release, **changes: Any) -> Any:
        return self.deployer(**changes).deploy(release, self.lines.append)

    def artifacts(self) -> LocalArtifacts:
        return open_artifacts(".midas/artifacts", self.root)

    def driver(self, release: Release, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Another process that deploys; see driver.py."""
        command = [
            sys.executable,
            str(DRIVER),
            str(self.root),
            str(self.port),
            release.version,
            release.commit,
        ]
        driver = subprocess.Popen(
            [*command, *arguments],
            env=self.environ | environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._drivers.append(driver)
        return driver

    def answer(self, port: int = 0, path: str = "/") -> tuple[str, int]:
        """Version and process that answer from outside; empty and 0 when nobody does."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{port or self.port}{path}", timeout=10) as response:
                version, pid = response.read().decode().split()
                return version, int(pid)
        except urllib.error.HTTPError as error:
            with error:
                return f"status {error.code}", 0
        except OSError:
            return "", 0

    def living(self) -> set[int]:
        """Every live process that was started for this test, drivers included."""
        found = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.pid != os.getpid() and process.environ().get("MIDAS_TEST") == self.mark
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.add(process.pid)
        return found

    def folders(self) -> set[str]:
        return {path.name for path in (self.home / "releases").iterdir() if path.is_dir()}

    def close(self) -> None:
        for driver in self._drivers:
            with driver:
                driver.kill()
        self.deployer(stop_within=timedelta(seconds=1)).stop(lambda _: None)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Poll; the deadline only ends a test that would never end."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
