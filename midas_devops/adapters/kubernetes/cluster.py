"""One environment's part of a cluster: what is there, and what a failed rollout leaves to read."""

from __future__ import annotations

from midas_devops.adapters.kubernetes.kubectl import Json, Kubectl
from midas_devops.adapters.kubernetes.manifests import SLOT
from midas_devops.adapters.kubernetes.workload import Workload, owned_by
from midas_devops.config import KubernetesDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.ports.artifacts import Artifacts

CANARY = "canary"
REPLICAS = "midas-devops/stable-replicas"
"""Annotation of a canary's Deployment: how many pods served before it."""
_LOG_LINES = 200
_LOG_BYTES = 256 << 10
_MOST_PODS = 3


class Cluster:
    """Looks at the objects of one environment."""

    def __init__(
        self, environment: str, settings: KubernetesDeploy, kubectl: Kubectl, artifacts: Artifacts
    ) -> None:
        self._environment = environment
        self._settings = settings
        self._kubectl = kubectl
        self._artifacts = artifacts

    def workload(self, name: str) -> Workload | None:
        """The Deployment of this name with what it owns; None when it is not there. Raises ``ToolError``."""
        deployment = self._kubectl.get("deployment", name)
        if deployment is None:
            return None
        selector = _selector(deployment)
        found = self._kubectl.items("replicasets,pods", f"--selector={selector}")
        replicasets = owned_by(deployment, [each for each in found if each["kind"] == "ReplicaSet"])
        pods = [each for each in found if each["kind"] == "Pod"]
        return Workload(
            deployment,
            replicasets,
            tuple(pod for replicaset in replicasets for pod in owned_by(replicaset, pods)),
        )

    def live_slot(self) -> str:
        """``blue`` or ``green``: where the Service sends people; empty before the first switch."""
        service = self._kubectl.get("service", self._settings.service)
        selector = (service["spec"].get("selector") or {}) if service else {}
        return str(selector.get(SLOT, ""))

    def live_name(self) -> str:
        """Name of the Deployment that serves people."""
        slot = self.live_slot() if self._settings.blue_green else ""
        return f"{self._settings.deployment}-{slot}" if slot else self._settings.deployment

    def canary(self) -> Workload | None:
        """The canary that a release of ours runs beside it; None without. Raises ``ToolError``."""
        workload = self.workload(f"{self._settings.deployment}-{CANARY}")
        return workload if workload is not None and REPLICAS in workload.annotations else None

    def evidence(self, name: str) -> tuple[ArtifactRef, ...]:
        """Output, state and events of the newest pods of a Deployment, as one private artifact.

        What the containers wrote comes first: a CrashLoopBackOff is what follows from it.
        """
        workload = self.workload(name)
        if workload is None:
            return ()
        pods = sorted(workload.newest_pods(), key=lambda pod: bool(_is_ready(pod)))[:_MOST_PODS]
        newest = [workload.newest] if workload.newest is not None else []
        about = {str(each["metadata"]["uid"]) for each in (workload.deployment, *newest, *pods)}
        text = [line for pod in pods for line in self._output(pod).splitlines()]
        text.append(f"Deployment {name}: {workload.ready_of_newest} of {workload.wanted} new pods are ready")
        if trouble := workload.trouble():
            text.append(f"ERROR {trouble.message}")
        text += [f"Event {line}" for line in self._events(about)]
        return (self._keep("\n".join(text) + "\n", f"{self._environment}-{name}.log"),)

    def output(self, name: str) -> tuple[ArtifactRef, ...]:
        """What the pods that serve wrote."""
        workload = self.workload(name)
        pods = workload.newest_pods()[:_MOST_PODS] if workload else []
        texts = [(pod, self._output(pod)) for pod in pods]
        return tuple(
            self._keep(
                text or "(nothing was written)\n", f"{self._environment}-{pod['metadata']['name']}.log"
            )
            for pod, text in texts
        )

    def _events(self, uids: set[str]) -> list[str]:
        events = self._kubectl.items("events")
        lines = []
        for event in sorted(
            events, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or "")
        ):
            about = event.get("involvedObject") or {}
            if about.get("uid") in uids:
                count = f" (x{event['count']})" if int(event.get("count") or 1) > 1 else ""
                what = f"{about.get('kind')}/{about.get('name')}"
                message = " ".join(str(event.get("message", "")).split())
                lines.append(f"{event.get('type')} {event.get('reason')} {what}{count}: {message}")
        return lines

    def _output(self, pod: Json) -> str:
        name = str(pod["metadata"]["name"])
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        parts = []
        for each in statuses:
            if "waiting" in (each.get("state") or {}) and not each.get("restartCount"):
                continue  # it was never started
            limits = (f"--tail={_LOG_LINES}", f"--limit-bytes={_LOG_BYTES}", f"--container={each['name']}")
            # After a crash the words that matter are the previous container's: the present one just began.
            before = ("--previous",) if each.get("restartCount") else ()
            parts.append(self._kubectl.words("logs", name, *limits, *before))
        return "".join(part if part.endswith("\n") or not part else f"{part}\n" for part in parts)

    def _keep(self, text: str, name: str) -> ArtifactRef:
        return self._artifacts.put(text.encode(), name, private=True)


def _selector(deployment: Json) -> str:
    spec = deployment["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (spec.get("matchLabels") or {}).items()]
    for each in spec.get("matchExpressions") or []:
        values = ",".join(each.get("values") or [])
        shapes = {
            "In": f"{each['key']} in ({values})",
            "NotIn": f"{each['key']} notin ({values})",
            "Exists": each["key"],
            "DoesNotExist": f"!{each['key']}",
        }
        parts.append(shapes[each["operator"]])
    return ",".join(parts)


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
