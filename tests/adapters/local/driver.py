"""Deploy from a process of its own, that can end at a chosen moment.

    driver.py ROOT PORT VERSION COMMIT [--die-at N] [--pause-at TEXT] [--limit BYTES] [--home DIR] [--build X]

``--die-at N`` kills this process at the N-th durable step: before or after a file takes its place, after a
process was started. ``--pause-at`` waits at each line of progress with this text for the file ROOT/go.
``--limit`` is the most that one file may hold. Prints progress, and in the end the result as a line of JSON.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.git import GitSource
from midas_devops.adapters.local.deployer import LocalDeployer
from midas_devops.config import Health, LocalDeploy
from midas_devops.ports.deployer import Release


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("version")
    parser.add_argument("commit")
    parser.add_argument("--die-at", type=int, default=-1)
    parser.add_argument("--pause-at", default="")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--build", default="print('built')")
    asked = parser.parse_args()
    if asked.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked.limit, asked.limit))
    if asked.die_at >= 0:
        die_at(asked.die_at)

    def progress(line):
        print(line, flush=True)
        if asked.pause_at and asked.pause_at in line:
            while not (asked.root / "go").exists():
                time.sleep(0.01)

    settings = LocalDeploy(
        using="local",
        start=(sys.executable, "app.py"),
        build=(sys.executable, "-c", asked.build),
        port=asked.port,
        health=Health(path="/health", within=timedelta(seconds=30)),
        stop_within=timedelta(seconds=10),
    )
    deployer = LocalDeployer(
        "staging",
        settings,
        home=asked.home or asked.root / ".midas" / "local" / "staging",
        source=GitSource(asked.root),
        artifacts=open_artifacts(".midas/artifacts", asked.root),
        environ=os.environ,
    )
    release = Release(run_id="run-1", environment="staging", version=asked.version, commit=asked.commit)
    print(deployer.deploy(release, progress).model_dump_json(), flush=True)


def die_at(moment):
    """Faults from outside: nothing of the code under test is replaced, only the system below it counts."""
    steps = iter(range(1_000_000))

    def step():
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function):
        def counted(*args, **kwargs):
            step()
            result = function(*args, **kwargs)
            step()
            return result

        return counted

    os.replace, os.rename = around(os.replace), around(os.rename)
    start = subprocess.Popen.__init__

    def started(self, *args, **kwargs):
        start(self, *args, **kwargs)
        argv = args[0] if args else kwargs["args"]
        if argv[0] != "git":
            step()

    subprocess.Popen.__init__ = started


main()
