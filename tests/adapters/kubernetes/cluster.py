"""A real Kubernetes on loopback: etcd, API server, controllers, scheduler; kwok in place of the nodes."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.adapters.kubernetes import pods
from tests.tools import search_path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
CONTEXT = "test-cluster"
_TOKENS = {"admin": "adm-8d1f3c5b7a9e", "viewer": "vwr-2c4e6a8b0d1f", "servers": "srv-0f1e2d3c4b5a"}
_START = 120.0


class Cluster:
    """Started servers. ``kubectl`` here is the tests' own way to look and to meddle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logs = folder / "container.log"
        self._kubeconfig = folder / "kubeconfig-servers"
        self.api_port, self._etcd_port, self._peer_port, self._kubelet_port = _free_ports(4)
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Until a node is ready and pods can be made. Raises ``AssertionError`` with what a server said."""
        self._write_files()
        etcd = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._peer_port}"
        self._serve(
            "etcd",
            "--data-dir",
            str(self.folder / "etcd"),
            "--unsafe-no-fsync",
            "--listen-client-urls",
            etcd,
            "--advertise-client-urls",
            etcd,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            f"default={peer}",
        )
        key = self.folder / "service-account.key"
        self._serve(
            "kube-apiserver",
            "--etcd-servers",
            etcd,
            "--bind-address",
            "127.0.0.1",
            "--advertise-address",
            "127.0.0.1",
            "--secure-port",
            str(self.api_port),
            "--cert-dir",
            str(self.folder / "certs"),
            "--service-cluster-ip-range",
            "10.96.0.0/16",
            "--authorization-mode",
            "RBAC",
            "--token-auth-file",
            str(self.folder / "tokens.csv"),
            "--disable-admission-plugins",
            "ServiceAccount,TaintNodesByCondition",
            "--service-account-issuer",
            "https://127.0.0.1",
            "--service-account-key-file",
            str(key),
            "--service-account-signing-key-file",
            str(key),
            "--max-requests-inflight",
            "800",
            "--event-ttl",
            "1h",
        )
        self._until(
            lambda: self.kubectl("get", "--raw=/readyz").strip() == "ok", "the API server is not ready"
        )
        shared = ("--kubeconfig", str(self._kubeconfig), "--leader-elect=false", "--secure-port", "0")
        self._serve(
            "kube-controller-manager",
            *shared,
            "--controllers",
            "deployment-controller,replicaset-controller,"
            "garbage-collector-controller,namespace-controller,resourcequota-controller,endpointslice-controller",
            "--kube-api-qps",
            "200",
            "--kube-api-burst",
            "400",
        )
        self._serve("kube-scheduler", *shared, "--kube-api-qps", "200", "--kube-api-burst", "400")
        pods.write(self.folder / "kwok.yaml", self._logs)
        self._serve(
            "kwok",
            "--kubeconfig",
            str(self._kubeconfig),
            "--manage-all-nodes",
            "--config",
            str(self.folder / "kwok.yaml"),
            "--node-ip",
            "127.0.0.1",
            "--node-port",
            str(self._kubelet_port),
            "--server-address",
            f"127.0.0.1:{self._kubelet_port}",
            "--tls-cert-file",
            str(self.folder / "certs/apiserver.crt"),
            "--tls-private-key-file",
            str(self.folder / "certs/apiserver.key"),
        )
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        self._until(
            lambda: (
                '"True"'
                in self.kubectl(
                    "get",
                    "node",
                    "node-1",
                    "-o",
                    "jsonpath=\"{.status.conditions[?(@.type=='Ready')].status}\"",
                )
            ),
            "the node is not ready",
        )

    def stop(self) -> None:
        """End every server that was started here."""
        for server in reversed(self._servers.values()):
            server.kill()
            server.wait()

    def write(self, text: str) -> None:
        """What every container of this cluster wrote, before a crash too; as container runtimes do."""
        stamp = "2026-01-01T00:00:00.000000000Z"
        self._logs.write_text("".join(f"{stamp} stderr F {line}\n" for line in text.splitlines()))

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """What kubectl prints."""
        ended = subprocess.run(
            ["kubectl", "--context", CONTEXT, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environ(),
            check=False,
            timeout=60,
        )
        if check and ended.returncode:
            raise AssertionError(f"kubectl {arguments}: {ended.stderr}")
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.kubectl(*arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        """As somebody else would."""
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))

    def environ(self, user: str = "admin") -> dict[str, str]:
        """Environment of a person who uses this cluster."""
        own = {"KUBECONFIG": str(self.folder / f"kubeconfig-{user}"), "HOME": str(self.folder)}
        return {**os.environ, "PATH": tools_first(), **own}

    def _serve(self, program: str, *arguments: str) -> None:
        log = (self.folder / f"{program}.log").open("wb")
        with log:
            self._servers[program] = subprocess.Popen(
                [*_tied_to_us(), _found(program), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder)},
            )

    def _until(self, ready: Any, what: str) -> None:
        deadline = time.monotonic() + _START
        while True:
            with contextlib.suppress(AssertionError):
                if ready():
                    return
            for program, server in self._servers.items():
                if server.poll() is not None:
                    raise AssertionError(f"{program} ended:\n{self._said(program)}")
            if time.monotonic() > deadline:
                raise AssertionError(what)
            time.sleep(0.2)

    def _said(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text()[-3000:]

    def _write_files(self) -> None:
        self.write("starting\n")
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "service-account.key"), "2048"],
            check=True,
            capture_output=True,
        )
        with (self.folder / "tokens.csv").open("w") as file:
            csv.writer(file).writerows(
                [token, user, user, "" if user == "viewer" else "system:masters"]
                for user, token in _TOKENS.items()
            )
        for user, token in _TOKENS.items():
            name = self.folder / f"kubeconfig-{user}"
            cluster = {"server": f"https://127.0.0.1:{self.api_port}", "insecure-skip-tls-verify": True}
            name.write_text(
                json.dumps(
                    {
                        "apiVersion": "v1",
                        "kind": "Config",
                        "current-context": CONTEXT if user == "servers" else "somebody-elses",
                        "clusters": [
                            {"name": "c", "cluster": cluster},
                            {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}},
                        ],
                        "users": [{"name": "u", "user": {"token": token}}],
                        "contexts": [
                            {"name": CONTEXT, "context": {"cluster": "c", "user": "u"}},
                            {"name": "somebody-elses", "context": {"cluster": "nowhere", "user": "u"}},
                        ],
                    }
                )
            )


def missing() -> list[str]:
    """Programs of a cluster that are not on this machine."""
    return [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]


def tools_first() -> str:
    """PATH with our kubectl first: the one that belongs to this API server."""
    return os.pathsep.join(
        [
            *reversed(search_path().rsplit(os.pathsep, 1)),
        ]
    )


def _tied_to_us() -> list[str]:
    """Servers end with the test process, however it ends."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _found(program: str) -> str:
    path = shutil.which(program, path=search_path())
    assert path, program
    return path


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
