"""A project whose manifests lie in git, and a namespace that it is deployed to."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.adapters.git import GitSource
from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer
from midas_devops.config import KubernetesDeploy
from midas_devops.ports.deployer import Release
from tests.adapters.kubernetes.cluster import CONTEXT, Cluster
from tests.projects import commit, project, write

MANIFEST = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  release: "{{version}}"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: {replicas}
  revisionHistoryLimit: 5
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
        mode: {mode}
    spec:
      containers:
      - name: app
        image: {{image}}
{more}
"""


def manifest(mode: str = "serves", replicas: int = 2, more: str = "") -> str:
    """The manifests of one commit; ``mode`` says how its pods behave."""
    return MANIFEST.format(mode=mode, replicas=replicas, more=more)


class Place:
    """What a test deploys, and to where."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.cluster = cluster
        self.changes: dict[str, Any] = {}
        self.namespace = f"n-{uuid.uuid4().hex[:8]}"
        cluster.kubectl("create", "namespace", self.namespace)
        project(root, {"k8s/web.yaml": manifest(), ".gitignore": ".midas/\n"}, "v1")
        self.artifacts: LocalArtifacts = open_artifacts(".midas/artifacts", root)
        self.first = self._release("v1")
        self.second = self.release("v2")
        self.unhealthy = self.release("v3", "unready")

    def release(self, version: str, mode: str = "serves", **more: Any) -> Release:
        """Commit manifests and tag them."""
        write(self.root, {"k8s/web.yaml": manifest(mode, **more)})
        commit(self.root, version, version)
        return self._release(version)

    def _release(self, version: str) -> Release:
        sha = GitSource(self.root).resolve(version).sha
        return Release(run_id="run-1", environment="production", version=version, commit=sha)

    def table(self, **changes: Any) -> dict[str, Any]:
        """How it is deployed, as midas.toml would say it."""
        given: dict[str, Any] = {
            "context": CONTEXT,
            "namespace": self.namespace,
            "deployment": "web",
            "image": "registry.example/web:{commit}",
            "manifests": ("k8s/*.yaml",),
            "within": "6s",
            "health": {"within": "6s"},
        }
        return {"using": "kubernetes", **given, **self.changes, **changes}

    def deployer(
        self, *, user: str = "admin", environ: dict[str, str] | None = None, url: str = "", **changes: Any
    ) -> KubernetesDeployer:
        """A new deployer, as a new process would make it."""
        return KubernetesDeployer(
            "production",
            KubernetesDeploy.model_validate(self.table(**changes)),
            root=self.root,
            home=self.root / ".midas" / "kubernetes" / "production",
            source=GitSource(self.root),
            artifacts=self.artifacts,
            environ=self.cluster.environ(user) if environ is None else environ,
            url=url,
            redact=lambda text: text.replace("tok-4711", "[redacted]"),
        )

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """As somebody else in this namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def json(self, *arguments: str) -> Any:
        """Objects of this namespace."""
        return self.cluster.json("--namespace", self.namespace, *arguments)

    def ready_pods(self) -> list[Any]:
        """Pods that answer, those behind the Service when its selector names a slot."""
        pods = [
            pod for pod in self.json("get", "pods")["items"] if not pod["metadata"].get("deletionTimestamp")
        ]
        conditions = [
            (pod, {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}) for pod in pods
        ]
        return [pod for pod, seen in conditions if seen.get("Ready") == "True"]

    def behind_service(self) -> list[Any]:
        """Ready pods that the Service sends people to."""
        services = self.json("get", "services")["items"]
        if not services:
            return []
        wanted = services[0]["spec"]["selector"].items()
        return [pod for pod in self.ready_pods() if wanted <= pod["metadata"]["labels"].items()]

    def images(self) -> list[str]:
        """Commit of each pod that people reach."""
        return sorted(
            pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in self.behind_service()
        )

    def answer(self) -> str:
        """The commit that most of the pods behind the Service run."""
        found = self.images()
        return max(set(found), key=found.count, default="")

    def instance(self) -> str:
        """Names of the pods behind the Service."""
        return " ".join(sorted(pod["metadata"]["name"] for pod in self.behind_service()))
