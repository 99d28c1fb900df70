"""What a Deployment, its ReplicaSets and their pods say: what runs, how far a rollout is, what stops it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from midas_devops.adapters.kubernetes.kubectl import Json
from midas_devops.ports.deployer import DeployErrorCode, DeployFailure

COMMIT = "midas-devops/commit"
VERSION = "midas-devops/version"
IMAGES = "midas-devops/images"
"""Annotations of the pod template: every revision carries the release that it is."""
_REVISION = "deployment.kubernetes.io/revision"

_WAITING: dict[str, DeployErrorCode] = {
    "CrashLoopBackOff": "crash_loop",
    "ImagePullBackOff": "image_pull_failed",
    "ErrImagePull": "image_pull_failed",
    "ErrImageNeverPull": "image_pull_failed",
    "InvalidImageName": "image_pull_failed",
    "CreateContainerConfigError": "container_config",
    "CreateContainerError": "container_config",
    "RunContainerError": "container_config",
}
"""Reasons why a container waits, as the kubelet names them."""
_WORST_FIRST: tuple[DeployErrorCode, ...] = (
    "image_pull_failed",
    "container_config",
    "crash_loop",
    "refused",
    "unschedulable",
    "health_check_failed",
)
LASTING: frozenset[DeployErrorCode] = frozenset({"image_pull_failed", "container_config", "crash_loop"})
"""What does not heal by waiting for the whole time that a rollout may take."""


@dataclass(frozen=True)
class Workload:
    """One Deployment with what it owns, at one moment."""

    deployment: Json
    replicasets: tuple[Json, ...]
    pods: tuple[Json, ...]

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def wanted(self) -> int:
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.deployment["metadata"].get("annotations") or {})

    @property
    def observed(self) -> bool:
        """Whether the controller has seen the newest change."""
        status = self.deployment.get("status") or {}
        return int(status.get("observedGeneration", 0)) >= int(self.deployment["metadata"]["generation"])

    @property
    def complete(self) -> bool:
        """Whether the newest revision has taken over. It stays so when a pod of it fails later."""
        condition = self.condition("Progressing")
        if condition is not None:
            return self.observed and condition.get("reason") == "NewReplicaSetAvailable"
        return self.observed and self.ready_of_newest == self.wanted == self._total

    @property
    def newest(self) -> Json | None:
        """The ReplicaSet of the newest revision."""
        number = self.annotations.get(_REVISION)
        return next((each for each in self.replicasets if _annotation(each, _REVISION) == number), None)

    @property
    def ready_of_newest(self) -> int:
        return _ready(self.newest) if self.newest else 0

    @property
    def serving(self) -> Json | None:
        """The ReplicaSet whose pods answer: the newest, its rollout complete; else the fullest other."""
        newest = self.newest
        if newest is not None and self.complete:
            return newest if _ready(newest) else None
        others = [each for each in self.replicasets if each is not newest and _ready(each)]
        return max(others, key=_ready, default=None)

    def condition(self, kind: str) -> Json | None:
        """One condition of the Deployment."""
        conditions = (self.deployment.get("status") or {}).get("conditions") or []
        return next((each for each in conditions if each["type"] == kind), None)

    def revision_of(self, commit: str) -> str:
        """Number of the newest revision that carries this commit; empty when it was pruned."""
        found = [_annotation(each, _REVISION) for each in self.replicasets if release_of(each)[0] == commit]
        return max(found, key=lambda number: int(number or 0), default="")

    def newest_pods(self) -> list[Json]:
        """Pods of the newest revision."""
        newest = self.newest
        return [pod for pod in self.pods if newest is not None and _owned(pod, newest)]

    def trouble(self) -> DeployFailure | None:
        """The worst that can be seen of the newest revision; None when it only is not done yet."""
        found = [each for pod in self.newest_pods() for each in _troubles(pod)]
        failure = self.condition("ReplicaFailure")
        if failure is not None and failure.get("status") == "True":
            found.append(
                DeployFailure(code="refused", message=f"no pod can be made: {failure.get('message', '')}")
            )
        return min(found, key=lambda each: _WORST_FIRST.index(each.code), default=None)

    @property
    def _total(self) -> int:
        return sum(int((each.get("status") or {}).get("replicas", 0)) for each in self.replicasets)


def release_of(replicaset: Json) -> tuple[str, str]:
    """Commit and version that a revision carries. An image that was set by hand is no release of ours.

    The commit is empty then, and the version names the images.
    """
    template = replicaset["spec"]["template"]
    notes = template["metadata"].get("annotations") or {}
    if notes.get(IMAGES) == images_note(template):
        return str(notes.get(COMMIT, "")), str(notes.get(VERSION, ""))
    return "", ", ".join(str(container["image"]) for container in template["spec"]["containers"])


def images_note(template: Json) -> str:
    """Container → image, as one annotation."""
    return json.dumps(
        {each["name"]: each["image"] for each in template["spec"]["containers"]}, sort_keys=True
    )


def owned_by(owner: Json, objects: list[Json]) -> tuple[Json, ...]:
    """Those that this object controls: labels alone may fit somebody else's."""
    return tuple(each for each in objects if _owned(each, owner))


def _owned(each: Json, owner: Json) -> bool:
    references = each["metadata"].get("ownerReferences") or []
    return any(reference.get("uid") == owner["metadata"]["uid"] for reference in references)


def _troubles(pod: Json) -> list[DeployFailure]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return []
    found = []
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            found.append(
                DeployFailure(code="unschedulable", message=f"pod {name}: {condition.get('message', '')}")
            )
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    found += [failure for each in containers if (failure := _container_trouble(name, each))]
    if not found and status.get("phase") == "Running" and not all(each.get("ready") for each in containers):
        waiting = ", ".join(each["name"] for each in containers if not each.get("ready"))
        message = (
            f"pod {name}: container {waiting} runs and is not ready: its readiness probe does not succeed"
        )
        found.append(DeployFailure(code="health_check_failed", message=message))
    return found


def _container_trouble(pod: str, container: Json) -> DeployFailure | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    code = _WAITING.get(waiting.get("reason", ""))
    if code is not None:
        last = (container.get("lastState") or {}).get("terminated") or {}
        before = f"; it ended last with status {last['exitCode']} ({last.get('reason', '')})" if last else ""
        words = f"{waiting['reason']}: {waiting.get('message', '')}"
        return DeployFailure(code=code, message=f"pod {pod}, container {container['name']}: {words}{before}")
    terminated = (container.get("state") or {}).get("terminated") or {}
    if terminated.get("exitCode"):
        words = f"ended with status {terminated['exitCode']} ({terminated.get('reason', '')})"
        return DeployFailure(code="crash_loop", message=f"pod {pod}, container {container['name']}: {words}")
    return None


def _annotation(each: Json, key: str) -> str:
    return str((each["metadata"].get("annotations") or {}).get(key, ""))


def _ready(replicaset: Json) -> int:
    return int((replicaset.get("status") or {}).get("readyReplicas", 0))
