"""Services that midas.toml names: the model, the tracker, Jenkins. Each is asked, none is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from midas_devops.errors import MidasError
from midas_devops.interfaces.cli.checkup.check import ASK_SECONDS, Check, Place
from midas_devops.interfaces.wording import tracking_line


def model(place: Place) -> Iterator[Check]:
    model = place.settings.model
    if model is None:
        yield Check(
            "model",
            "degraded",
            "none: plans, diagnoses and summaries are by rules alone",
            "add a [model] table to midas.toml, if you want one",
        )
        return
    import httpx

    base = (model.base_url or "https://api.openai.com/v1").rstrip("/")
    key = os.environ.get(model.api_key_env, "")
    try:
        answer = httpx.get(
            f"{base}/models",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=min(ASK_SECONDS, model.timeout_seconds),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield Check(
            "model",
            "degraded",
            f"{model.name} at {base} cannot be reached ({type(error).__name__})",
            "check model.base_url and the network; until then rules alone are used",
        )
        return
    if answer.status_code in (401, 403):
        yield Check(
            "model",
            "degraded",
            f"{model.name} at {base} refuses the key (HTTP {answer.status_code})",
            f"set {model.api_key_env} to a valid key; until then rules alone are used",
        )
    else:
        yield Check("model", "ok", f"{model.name} at {base} answers (HTTP {answer.status_code})")


def tracker(place: Place) -> Iterator[Check]:
    tracker = place.settings.tracker
    if tracker.using == "none":
        return
    if not os.environ.get(tracker.token_env):
        yield Check(
            "tracker",
            "degraded",
            f"the variable {tracker.token_env} is not set: issues are not updated",
            f"export {tracker.token_env}=…",
        )
        return
    shown = f"{tracker.using}, token from {tracker.token_env}"
    tracking = _tracking(place)
    if tracking["waiting"] or tracking["given_up"]:
        fix = "midas-devops tracker --deliver" if tracking["waiting"] else ""
        yield Check("tracker", "degraded", f"{shown}; {tracking_line(tracking)}", fix)
    else:
        yield Check("tracker", "ok", shown)


def _tracking(place: Place) -> dict[str, Any]:
    from midas_devops.adapters.sql.reading import open_ledger_for_reading
    from midas_devops.records import tracking_json

    reader = open_ledger_for_reading(place.settings.storage.url, place.root)
    try:
        return tracking_json(reader)
    finally:
        reader.close()


def jenkins(place: Place) -> Iterator[Check]:
    jenkins = place.settings.jenkins
    if jenkins is None:
        return
    from midas_devops.adapters.jenkins_api import JenkinsApi, job_path

    try:
        api = JenkinsApi.from_settings(place.settings, os.environ)
        found = api.read(job_path(jenkins.job), f"look at the job {jenkins.job}", tree="_class")
    except MidasError as error:
        missing = getattr(error, "reason", "") == "not_found"
        fix = "run 'midas-devops pipeline setup . --platform jenkins'" if missing else error.hint
        yield Check("jenkins", "degraded", error.message, fix)
    else:
        kind = str(found.get("_class") or "").rpartition(".")[2] or "a job"
        yield Check("jenkins", "ok", f"{jenkins.job} at {jenkins.url} is {kind}")
