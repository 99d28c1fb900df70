"""Newer releases of the actions that our templates use, at their commits, asked of GitHub."""

from __future__ import annotations

import re
from typing import Any

from midas_devops.adapters.github_api import GitHubApi
from midas_devops.errors import RemoteError
from midas_devops.pipelines.pins import ACTIONS, newest

_COMMIT = re.compile(r"[0-9a-f]{40}")
_LAST_FOR_ALL = frozenset({"unauthorized", "rate_limited", "unreachable", "timed_out"})


def newest_pins(api_url: str, token: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    """``config_details.pins`` for every action with a newer release, and what a person should know.

    Never fails: what cannot be asked keeps the shipped pin, and a note says so. A tag that points somewhere
    else than the table says was moved: the shipped commit stays.
    """
    if not token:
        return {}, ["the shipped pins are used: asking GitHub for newer ones needs a token"]
    found: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    for name, shipped in ACTIONS.items():
        try:
            version, sha = _resolved(GitHubApi(name, token, api_url), name)
        except RemoteError as refused:
            notes.append(f"the shipped pin of {name} is used: {refused.message}")
            if refused.reason in _LAST_FOR_ALL:
                notes[-1] = f"the shipped pins are used from {name} on: {refused.message}"
                break
            continue
        if version != shipped.version:
            found[name] = {"sha": sha, "version": version}
        elif sha != shipped.sha:
            notes.append(f"the tag {version} of {name} was moved to {sha}: the shipped commit stays")
    return found, notes


def _resolved(api: GitHubApi, name: str) -> tuple[str, str]:
    """The newest fitting version and its commit. Raises ``RemoteError``."""
    attempted = f"look for releases of {name}"
    major = ACTIONS[name].version.partition(".")[0]
    refs = {
        str(ref.get("ref", "")).removeprefix("refs/tags/"): ref.get("object")
        for ref in api.pages(f"/git/matching-refs/tags/{major}.", "", attempted)
    }
    version = newest(name, refs)
    target: Any = refs.get(version)
    if isinstance(target, dict) and target.get("type") == "tag":
        # An annotated tag is an object of its own, which points to the commit.
        answer = api.get(f"/git/tags/{target.get('sha')}", attempted)
        target = answer.get("object") if isinstance(answer, dict) else None
    sha = str(target.get("sha")) if isinstance(target, dict) and target.get("type") == "commit" else ""
    if not _COMMIT.fullmatch(sha):
        raise RemoteError(f"could not {attempted}: {version} is no commit there", reason="not_found")
    return version, sha
