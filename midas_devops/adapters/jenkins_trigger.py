"""Start a build once: a marker among its parameters finds it again in the queue and among the builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.adapters.jenkins_builds import parameters_of
from midas_devops.adapters.jenkins_job import MARKER, JobDefinition
from midas_devops.errors import RemoteError
from midas_devops.ports.pipeline import Triggered

LOOKED_BACK = 100
"""Builds among which a marker is looked for."""
_POLLS = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Seconds between looks at the queue: about 15 s in all, then the run's id stays empty."""


class JenkinsTrigger:
    """Raises ``RemoteError``: ``refused`` for what Jenkins would drop without a word."""

    def __init__(self, api: JenkinsApi) -> None:
        self._api = api

    def trigger(self, job: str, branch: str, inputs: Mapping[str, str]) -> Triggered:
        """With ``MIDAS_DEVOPS_RUN`` among the inputs, the same value starts nothing a second time."""
        attempted = f"start {job} on {branch}" if branch else f"start {job}"
        name, found = self._job(job, branch, attempted)
        known = set(_parameters(found))
        given = dict(inputs)
        if branch and "BRANCH" in known:
            given.setdefault("BRANCH", branch)
        elif branch and name == job:
            self._same_branch(name, branch, attempted)
        if unknown := sorted(set(given) - known):
            raise self._api.failed(
                attempted,
                "refused",
                f"the job has no parameter {', '.join(unknown)}",
                "Jenkins drops what a job does not declare: add it to the job's parameters.",
            )
        if found.get("buildable") is False:
            raise self._api.failed(attempted, "refused", "the job is disabled", "Enable it in Jenkins.")
        if (marker := given.get(MARKER)) and (earlier := self.find(name, marker, branch=branch)):
            return earlier
        entry = "buildWithParameters" if known else "build"
        headers = self._api.post(f"{job_path(name)}{entry}", attempted, params={"delay": "0sec"}, form=given)
        return self._follow(name, branch, headers.get("location", ""), attempted)

    def find(self, job: str, marker: str, *, branch: str = "") -> Triggered | None:
        """The build, or the queued one, that was started with this marker."""
        attempted = f"look for a started build of {job}"
        wanted = (MARKER, marker)
        builds = self._api.read(
            job_path(job),
            attempted,
            tree=f"allBuilds[number,actions[parameters[name,value]]]{{0,{LOOKED_BACK}}}",
        ).get("allBuilds")
        for build in builds if isinstance(builds, list) else ():
            if wanted in parameters_of(build.get("actions")):
                return self._triggered(job, branch, build.get("number"))
        queue = self._api.read(
            "queue/", attempted, tree="items[id,task[url],actions[parameters[name,value]]]"
        ).get("items")
        for item in queue if isinstance(queue, list) else ():
            if wanted in parameters_of(item.get("actions")):
                return Triggered(
                    workflow=job, branch=branch, url=self._api.address(f"queue/item/{item.get('id')}/")
                )
        return None

    def _job(self, job: str, branch: str, attempted: str) -> tuple[str, dict[str, Any]]:
        tree = "_class,fullName,buildable,jobs[name],property[parameterDefinitions[name]]"
        found = self._api.read(job_path(job), attempted, tree=tree)
        if isinstance(found.get("jobs"), list):
            if not branch:
                raise self._api.failed(attempted, "refused", "it is a folder", "Name a job or a branch.")
            job = f"{job}/{quote(branch, safe='')}"
            found = self._api.read(job_path(job), attempted, tree=tree)
        return job, found

    def _same_branch(self, job: str, branch: str, attempted: str) -> None:
        """A job that clones one branch cannot build another, unless a parameter of it says which."""
        try:
            definition = JobDefinition.from_xml(self._api.text(f"{job_path(job)}config.xml", attempted))
        except RemoteError as refused:
            if refused.reason != "forbidden":
                raise
            definition = None
        patterns = definition.branches if definition else ()
        if f"*/{branch}" not in patterns and branch not in patterns and f"origin/{branch}" not in patterns:
            what = f"it builds {', '.join(patterns)}" if patterns else "which branch it builds cannot be read"
            raise self._api.failed(
                attempted, "refused", what, "Give the job a parameter BRANCH, or trigger it without a branch."
            )

    def _follow(self, job: str, branch: str, place: str, attempted: str) -> Triggered:
        """From the queue to the build. What is still queued after a while is told without a number."""
        path = urlsplit(place).path
        number = path.rstrip("/").rpartition("/queue/item/")[2]
        if not number.isdecimal():
            raise self._api.failed(
                attempted,
                "unreadable",
                "it does not say where in the queue",
                "Look at the job before asking again.",
            )
        for pause in _pauses():
            item = self._api.read(f"queue/item/{number}/", attempted, tree="cancelled,why,executable[number]")
            if item.get("cancelled"):
                raise self._api.failed(attempted, "refused", "somebody cancelled it in the queue")
            executable = item.get("executable")
            if isinstance(executable, dict):
                return self._triggered(job, branch, executable.get("number"))
            self._api.pause(pause)
        return Triggered(workflow=job, branch=branch, url=self._api.address(f"queue/item/{number}/"))

    def _triggered(self, job: str, branch: str, number: object) -> Triggered:
        return Triggered(
            workflow=job,
            branch=branch,
            run_id=f"{job}#{number}",
            url=self._api.address(f"{job_path(job)}{number}/"),
        )


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    for _ in range(_POLLS):
        yield pause
        pause = min(_LONGEST_PAUSE, pause * 1.5)


def _parameters(found: Mapping[str, Any]) -> Iterator[str]:
    for one in found.get("property") or ():
        for declared in (one.get("parameterDefinitions") or ()) if isinstance(one, dict) else ():
            yield str(declared.get("name"))
