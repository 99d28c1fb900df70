"""What a Jenkins on loopback holds: jobs and builds, as its JSON and its XML tell them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any

BEGAN = 1_750_000_000_000


@dataclass
class Build:
    number: int
    parameters: dict[str, str]
    queue_id: int = 0
    result: str | None = None
    log: bytes = b"Started by user ada\n"
    timestamp: int = BEGAN
    duration: int = 0
    waited: int = 0
    commit: str = ""
    branch: str = ""
    cause: str = "hudson.model.Cause$UserIdCause"
    stages: list[dict[str, Any]] | None = None

    def told(self) -> dict[str, Any]:
        actions: list[dict[str, Any]] = [
            {"_class": "hudson.model.CauseAction", "causes": [{"_class": self.cause}]},
            {},
        ]
        if self.parameters:
            given = [{"name": key, "value": value} for key, value in self.parameters.items()]
            actions.append({"_class": "hudson.model.ParametersAction", "parameters": given})
        if self.commit:
            branch = [{"SHA1": self.commit, "name": self.branch}]
            built = {"SHA1": self.commit, "branch": branch}
            actions.append({"_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": built})
        if self.waited:
            actions.append({"_class": "jenkins.metrics.Time", "queuingDurationMillis": self.waited})
        return {
            "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
            "number": self.number,
            "building": self.result is None,
            "inProgress": self.result is None,
            "result": self.result,
            "timestamp": self.timestamp,
            "duration": self.duration,
            "displayName": f"#{self.number}",
            "actions": actions,
        }


@dataclass
class Job:
    """A pipeline job; with ``jobs`` a folder or a multibranch project."""

    full_name: str
    xml: str = "<flow-definition><description/></flow-definition>"
    jobs: dict[str, Job] | None = None
    builds: list[Build] = field(default_factory=list)
    buildable: bool = True

    @property
    def name(self) -> str:
        return self.full_name.rpartition("/")[2]

    @property
    def parameters(self) -> list[str]:
        root = ET.fromstring(re.sub(r"<\?xml[^>]*\?>", "", self.xml))
        return [found.text or "" for found in root.iter("name") if found in _declared(root)]

    def told(self) -> dict[str, Any]:
        common = {"name": self.name, "fullName": self.full_name}
        if self.jobs is not None:
            inner = [job.told() for job in self.jobs.values()]
            return {"_class": "com.cloudbees.hudson.plugins.folder.Folder", **common, "jobs": inner}
        declared = [{"name": name} for name in self.parameters]
        return {
            "_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob",
            **common,
            "buildable": self.buildable,
            "property": [{"parameterDefinitions": declared}] if declared else [{}],
            "allBuilds": [build.told() for build in reversed(self.builds)],
        }


def _declared(root: ET.Element) -> list[ET.Element]:
    return [name for one in root.iter("parameterDefinitions") for name in one.findall("*/name")]


def select(value: Any, tree: str) -> Any:
    """What Jenkins' ``tree`` leaves of an answer; unknown properties are left out, as Jenkins does."""
    wanted, rest = _selection(tree)
    assert rest == "", f"tree is not balanced: {tree}"
    return _kept(value, wanted)


def _selection(tree: str) -> tuple[dict[str, Any], str]:
    wanted: dict[str, Any] = {}
    while tree and tree[0] != "]":
        found = re.match(r"\w+", tree)
        assert found, f"no property at: {tree}"
        name, tree = found.group(), tree[found.end() :]
        inner: dict[str, Any] | None = None
        if tree.startswith("["):
            inner, tree = _selection(tree[1:])
            tree = tree[1:]
        within = re.match(r"\{(\d+),(\d+)\}", tree)
        if within:
            tree = tree[within.end() :]
        wanted[name] = (inner, (int(within[1]), int(within[2])) if within else None)
        tree = tree.removeprefix(",")
    return wanted, tree


def _kept(value: Any, wanted: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_kept(one, wanted) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {"_class": value["_class"]} if "_class" in value else {}
    for name, (inner, within) in wanted.items():
        if name not in value:
            continue
        found = value[name]
        if within and isinstance(found, list):
            found = found[within[0] : within[1]]
        kept[name] = _kept(found, inner) if inner is not None else found
    return kept


def reformatted(xml: str) -> str:
    """As Jenkins writes a job back: its own declaration, plugins' versions, an indentation."""
    root = ET.fromstring(re.sub(r"<\?xml[^>]*\?>", "", xml))
    root.set("plugin", "workflow-job@1520.v56d65e3b_4566")
    for scm in root.iter("scm"):
        scm.set("plugin", "git@5.7.0")
    ET.SubElement(root, "actions")
    ET.indent(root)
    return "<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode")
