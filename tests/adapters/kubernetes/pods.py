"""How kwok's pods behave: by the label ``mode`` of each, as a kubelet would report it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_NODE = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type  | Quote }}
{{ end }}
addresses:
{{ with NodeIP }}
- {address: {{ . | Quote }}, type: InternalIP}
{{ end }}
{{ with NodePort }}
daemonEndpoints: {kubeletEndpoint: {Port: {{ . }}}}
{{ end }}
allocatable: {cpu: "8", memory: 32Gi, pods: "200"}
capacity: {cpu: "8", memory: 32Gi, pods: "200"}
phase: Running
"""

_POD = """
{{{{ $now := Now }}}}
conditions:
- {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "True", type: Initialized}}
- {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "{ready}", type: Ready}}
- {{lastTransitionTime: {{{{ $now | Quote }}}}, status: "{ready}", type: ContainersReady}}
containerStatuses:
{{{{ range .spec.containers }}}}
- image: {{{{ .image | Quote }}}}
  name: {{{{ .name | Quote }}}}
  ready: {ready_lower}
  restartCount: {restarts}
  state: {state}
  lastState: {last}
{{{{ end }}}}
phase: {phase}
podIP: 10.0.0.7
startTime: {{{{ $now | Quote }}}}
"""

_RUNNING = "{running: {startedAt: {{ $now | Quote }}}}"


def stages(logs: Path) -> Iterable[Json]:
    """kwok's configuration: a node that is ready, pods by their mode, and logs from ``logs``."""
    yield _stage(
        "node",
        "Node",
        [_key('.status.conditions.[] | select( .type == "Ready" ) | .status', "NotIn", "True")],
        _NODE,
    )
    yield _pod("serves", ["serves"], "True", _RUNNING)
    yield _pod("unready", ["unready"], "False", _RUNNING)
    back_off = '{waiting: {reason: CrashLoopBackOff, message: "back-off 40s restarting failed container"}}'
    times = "startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}"
    ended = f"{{terminated: {{exitCode: 1, reason: Error, {times}}}}}"
    yield _pod("crashes", ["crashes"], "False", back_off, ended, restarts=4)
    pull = '{waiting: {reason: ImagePullBackOff, message: "Back-off pulling image \\"web:nowhere\\""}}'
    yield _pod("pulls", ["pulls"], "False", pull, phase="Pending")
    secret = '{waiting: {reason: CreateContainerConfigError, message: "secret \\"orders-db\\" not found"}}'
    yield _pod("unmade", ["unmade"], "False", secret, phase="Pending")
    gone = {
        "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
        "selector": {"matchExpressions": [_key(".metadata.deletionTimestamp", "Exists")]},
        "next": {"delete": True},
    }
    yield {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "deleted"},
        "spec": gone,
    }
    yield {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "logs"},
        "spec": {"logs": [{"logsFile": str(logs), "previousLogsFile": str(logs), "follow": False}]},
    }


def _pod(
    name: str,
    modes: list[str],
    ready: str,
    state: str,
    last: str = "{}",
    *,
    restarts: int = 0,
    phase: str = "Running",
) -> Json:
    template = _POD.format(
        ready=ready, ready_lower=ready.lower(), restarts=restarts, state=state, last=last, phase=phase
    )
    conditions = [
        _key(".metadata.deletionTimestamp", "DoesNotExist"),
        _key(".status.podIP", "DoesNotExist"),
        _key('.metadata.labels["mode"]', "In", *modes),
    ]
    return _stage(f"pod-{name}", "Pod", conditions, template)


def _key(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def _stage(name: str, kind: str, conditions: list[Json], template: str) -> Json:
    spec = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": conditions},
        "next": {"statusTemplate": template},
    }
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def write(path: Path, logs: Path) -> None:
    """JSON is YAML."""
    path.write_text("\n---\n".join(json.dumps(stage) for stage in stages(logs)))
