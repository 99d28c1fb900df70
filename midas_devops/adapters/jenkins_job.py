"""The job in Jenkins that runs a repository's Jenkinsfile: what we write of it, and what we read back."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Self

from midas_devops.domain.base import Value
from midas_devops.domain.digest import canonical_json, sha256_hex

MARKER = "MIDAS_DEVOPS_RUN"
"""Parameter by which a build that was asked for once is known again."""
POLL = "H/5 * * * *"
"""How often Jenkins looks for new commits: it needs no hook from the repository's side."""

_OURS = re.compile(r"Set up by midas-devops\. Definition ([0-9a-f]{64})\.")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_JOB = "flow-definition"
_SCM_FLOW = "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"
_INLINE_FLOW = "org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition"
_TRIGGERS = "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty"


class JobDefinition(Value):
    """A pipeline job: a Jenkinsfile from a repository, or inline when ``repository`` is empty."""

    repository: str = ""
    """What git clones."""
    credentials_id: str = ""
    branches: tuple[str, ...] = ()
    """As the git plugin writes them: ``*/main``."""
    script_path: str = "Jenkinsfile"
    script: str = ""
    """The text of an inline pipeline."""
    poll: str = POLL

    @property
    def sha256(self) -> str:
        """Over everything above: what a person changes in Jenkins changes it."""
        return sha256_hex(canonical_json(self.model_dump(mode="json")))

    @property
    def description(self) -> str:
        what = f"Runs {self.script_path} of {self.repository}. " if self.repository else ""
        return f"{what}Set up by midas-devops. Definition {self.sha256}."

    def to_xml(self) -> str:
        """``config.xml`` as Jenkins takes it."""
        job = ET.Element(_JOB)
        _add(job, "description", self.description)
        properties = ET.SubElement(job, "properties")
        declared = ET.SubElement(
            ET.SubElement(properties, "hudson.model.ParametersDefinitionProperty"), "parameterDefinitions"
        )
        marker = ET.SubElement(declared, "hudson.model.StringParameterDefinition")
        _add(marker, "name", MARKER)
        _add(marker, "description", "The midas-devops run that asked for this build; leave it empty.")
        if self.poll:
            trigger = ET.SubElement(
                ET.SubElement(ET.SubElement(properties, _TRIGGERS), "triggers"), "hudson.triggers.SCMTrigger"
            )
            _add(trigger, "spec", self.poll)
        self._definition(job)
        _add(job, "disabled", "false")
        return "<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(job, encoding="unicode") + "\n"

    @classmethod
    def from_xml(cls, text: str) -> Self | None:
        """What a ``config.xml`` says of these things; None for a job of another kind."""
        job = _parsed(text)
        if job is None or job.tag != _JOB:
            return None
        flow = job.find("definition")
        if flow is None:
            return None
        inline = flow.get("class") == _INLINE_FLOW
        return cls(
            repository="" if inline else _text(flow, "scm/userRemoteConfigs/*/url"),
            credentials_id="" if inline else _text(flow, "scm/userRemoteConfigs/*/credentialsId"),
            branches=()
            if inline
            else tuple((name.text or "").strip() for name in flow.findall("scm/branches/*/name")),
            script_path="Jenkinsfile" if inline else _text(flow, "scriptPath"),
            script=_text(flow, "script", strip=False) if inline else "",
            poll=_text(job, f"properties/{_TRIGGERS}/triggers/hudson.triggers.SCMTrigger/spec"),
        )

    def _definition(self, job: ET.Element) -> None:
        if not self.repository:
            flow = ET.SubElement(job, "definition", {"class": _INLINE_FLOW})
            _add(flow, "script", self.script)
            _add(flow, "sandbox", "true")
            return
        flow = ET.SubElement(job, "definition", {"class": _SCM_FLOW})
        scm = ET.SubElement(flow, "scm", {"class": "hudson.plugins.git.GitSCM"})
        _add(scm, "configVersion", "2")
        remote = ET.SubElement(ET.SubElement(scm, "userRemoteConfigs"), "hudson.plugins.git.UserRemoteConfig")
        _add(remote, "url", self.repository)
        if self.credentials_id:
            _add(remote, "credentialsId", self.credentials_id)
        branches = ET.SubElement(scm, "branches")
        for branch in self.branches:
            _add(ET.SubElement(branches, "hudson.plugins.git.BranchSpec"), "name", branch)
        _add(flow, "scriptPath", self.script_path)
        # The Jenkinsfile of the commit that is built, whichever branch matched.
        _add(flow, "lightweight", "false")


def written_as(text: str) -> str | None:
    """The digest that a job's description carries since we wrote it; None for a job that is not ours."""
    job = _parsed(text)
    found = _OURS.search(_text(job, "description")) if job is not None else None
    return found[1] if found else None


def _parsed(text: str) -> ET.Element | None:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None  # Jenkins writes none; an entity could grow without bounds
    try:
        return ET.fromstring(_DECLARATION.sub("", text, count=1))  # noqa: S314 - no entities, see above
    except ET.ParseError:
        return None


def _text(element: ET.Element, path: str, *, strip: bool = True) -> str:
    found = element.findtext(path) or ""
    return found.strip() if strip else found


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text
