"""Propose a pipeline to a repository on GitHub: a branch, one commit and a pull request, by PyGithub."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from midas_devops.adapters.github_errors import ask_github, github_client
from midas_devops.adapters.pipelines_local import BRANCH, RUN_TRAILER, commit_message
from midas_devops.config import Settings
from midas_devops.errors import BlockedError, ConfigError, ToolError, UsageError
from midas_devops.pipelines.plan import plan_pipeline
from midas_devops.pipelines.tree import MOST_BYTES
from midas_devops.ports.pipeline import PipelineFile, PipelineProposal, ProposalResult

if TYPE_CHECKING:
    from github.Commit import Commit
    from github.Comparison import Comparison
    from github.PullRequest import PullRequest
    from github.Repository import Repository

Answer = TypeVar("Answer")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_URL = re.compile(
    r"(?:https?://(?:[^/@]+@)?|ssh://git@|git@)(?P<host>[^/:]+)(?::\d+)?[/:](?P<name>[^/]+/[^/]+?)(?:\.git)?/?"
)


def github_name(repository_url: str, api_url: str) -> str:
    """``owner/name`` of itself, or of a URL on the host that the API serves; empty for anything else."""
    if _NAME.fullmatch(repository_url):
        return repository_url
    found = _URL.fullmatch(repository_url)
    api = urlsplit(api_url).hostname or ""
    same_host = found is not None and found["host"].lower() == (
        "github.com" if api == "api.github.com" else api
    )
    return found["name"] if found and same_host and _NAME.fullmatch(found["name"]) else ""


class GitHubTree:
    """The tree of one commit, by the API. Files are fetched when they are read."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        tree = repository.get_git_tree(commit, recursive=True)
        if tree.raw_data.get("truncated"):
            raise ToolError(
                f"GitHub lists only a part of the files of {repository.full_name}: it is too large",
                hint="Clone it and give the folder instead.",
            )
        files = [entry for entry in tree.tree if entry.type == "blob" and entry.mode in ("100644", "100755")]
        self._blobs = {entry.path: entry.sha for entry in files}
        self._texts: dict[str, str] = {}

    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._blobs if path.isprintable()))

    def read(self, path: str) -> str:
        if path not in self._blobs:
            return ""
        if path not in self._texts:
            blob = self._repository.get_git_blob(self._blobs[path])
            text = base64.b64decode(blob.content).decode("utf-8", "replace")
            self._texts[path] = text[:MOST_BYTES].replace("\r\n", "\n")
        return self._texts[path]


class GitHubPipelines:
    """Implements ``ports.pipeline.PipelineHost`` on GitHub. Connects at first use."""

    def __init__(self, token: str, api_url: str) -> None:
        self._token = token
        self._api_url = api_url

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        """Raises ``ConfigError`` when the token is missing."""
        token = environ.get(settings.tracker.token_env, "")
        if not token:
            raise ConfigError(
                f"proposing a pipeline on GitHub needs a token in {settings.tracker.token_env}",
                hint="Set the variable, or give the folder of a clone.",
                location="midas.toml: tracker.token_env",
            )
        return cls(token, settings.tracker.api_url)

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        name = github_name(repository_url, self._api_url)
        if not name:
            raise UsageError(
                f"'{repository_url}' is no repository of {self._api_url}",
                hint="Give a folder, owner/name or a URL such as https://github.com/owner/name.",
            )

        def plan() -> PipelineProposal:
            repository = self._repository(name)
            head = repository.get_branch(repository.default_branch).commit.sha
            return plan_pipeline(name, GitHubTree(repository, head), config_details)

        return self._ask(f"read {name}", plan)

    def check(self, proposal: PipelineProposal) -> None:
        def check() -> None:
            repository = self._repository(proposal.repository)
            if self._standing(repository, proposal) is None:
                _base(repository, proposal)

        self._ask(f"look for a proposal in {proposal.repository}", check)

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult:
        return self._ask(
            f"propose a pipeline to {proposal.repository}", lambda: self._propose(proposal, run_id)
        )

    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        return self._ask(
            f"look for a proposal in {proposal.repository}",
            lambda: self._standing(self._repository(proposal.repository), proposal),
        )

    def _propose(self, proposal: PipelineProposal, run_id: str) -> ProposalResult:
        repository = self._repository(proposal.repository)
        if found := self._standing(repository, proposal):
            return found
        tip, base = _base(repository, proposal)
        commit = base
        if not tip or not _same(GitHubTree(repository, base), proposal):
            commit = _commit(repository, proposal, base, run_id, existing=tip)
        pull = _open_pull(repository)
        if pull is None:
            pull = repository.create_pull(
                base=repository.default_branch,
                head=BRANCH,
                title="Propose a CI/CD pipeline",
                body=_body(proposal),
            )
        else:
            pull.edit(body=_body(proposal))
        return ProposalResult(changed=True, branch=BRANCH, url=pull.html_url, commit=commit)

    @staticmethod
    def _standing(repository: Repository, proposal: PipelineProposal) -> ProposalResult | None:
        """The proposal with its pull request, open or answered; a branch alone is not finished."""
        if all(file.exists for file in proposal.files):
            return ProposalResult(changed=False, detail="every file stands there already")
        tip = _tip(repository)
        if not tip or not _same(GitHubTree(repository, tip), proposal):
            return None
        pulls = repository.get_pulls(state="all", head=f"{repository.owner.login}:{BRANCH}")
        for pull in pulls:
            if pull.head.ref == BRANCH and pull.head.sha == tip and not pull.merged_at:
                return ProposalResult(
                    changed=False,
                    branch=BRANCH,
                    url=pull.html_url,
                    commit=tip,
                    detail="proposed before"
                    if pull.state == "open"
                    else "proposed before, and closed by somebody",
                )
        return None

    def _repository(self, name: str) -> Repository:
        # Not lazy: a repository that is not there is told here, not at its first attribute.
        return github_client(self._token, self._api_url, lazy=False).get_repo(name)

    def _ask(self, attempted: str, ask: Callable[[], Answer]) -> Answer:
        needs = "contents, pull requests and workflows: write"
        return ask_github(attempted, self._api_url, ask, needs=needs)


def _tip(repository: Repository) -> str:
    from github import UnknownObjectException

    try:
        return repository.get_git_ref(f"heads/{BRANCH}").object.sha
    except UnknownObjectException:
        return ""


def _base(repository: Repository, proposal: PipelineProposal) -> tuple[str, str]:
    """The branch's tip, empty when there is none, and the commit to build on. Raises ``BlockedError``."""
    tip = _tip(repository)
    head = repository.get_branch(repository.default_branch).commit.sha
    base = head
    if tip:
        beyond = repository.compare(head, tip)
        if beyond.status not in ("behind", "identical"):
            _refuse_a_foreign_branch(proposal, beyond)
            base = tip
    _refuse_what_is_not_ours(repository, proposal, base, is_proposal=base == tip)
    return tip, base


def _new(proposal: PipelineProposal) -> list[PipelineFile]:
    return [file for file in proposal.files if not file.exists]


def _same(tree: GitHubTree, proposal: PipelineProposal) -> bool:
    return all(tree.read(file.path) == file.text for file in _new(proposal))


def _refuse_what_is_not_ours(
    repository: Repository, proposal: PipelineProposal, base: str, *, is_proposal: bool
) -> None:
    tree = GitHubTree(repository, base)
    for file in _new(proposal):
        if file.path not in tree.paths() or tree.read(file.path) == file.text:
            continue
        last = repository.get_commits(sha=base, path=file.path)[0]
        if is_proposal and _is_ours(last):
            continue
        raise BlockedError(
            f"{file.path} was changed by somebody else: it is never overwritten",
            hint=f"Merge or delete the branch {BRANCH}, then ask again.",
            location=f"{proposal.repository}: {file.path}",
        )


def _refuse_a_foreign_branch(proposal: PipelineProposal, beyond: Comparison) -> None:
    """A branch of this name without a single commit of ours is somebody's own."""
    if not any(_is_ours(commit) for commit in beyond.commits):
        raise BlockedError(
            f"the branch {BRANCH} holds somebody's own work: nothing is added to it",
            hint="Rename that branch, then ask again.",
            location=proposal.repository,
        )


def _is_ours(commit: Commit) -> bool:
    return f"\n{RUN_TRAILER}: " in commit.commit.message


def _commit(
    repository: Repository, proposal: PipelineProposal, base: str, run_id: str, *, existing: str
) -> str:
    from github import InputGitTreeElement

    elements = [
        InputGitTreeElement(path=file.path, mode="100644", type="blob", content=file.text)
        for file in _new(proposal)
    ]
    tree = repository.create_git_tree(elements, repository.get_git_tree(base))
    parent = repository.get_git_commit(base)
    made = repository.create_git_commit(commit_message(proposal, run_id), tree, [parent])
    if existing:
        repository.get_git_ref(f"heads/{BRANCH}").edit(made.sha, force=False)
    else:
        repository.create_git_ref(f"refs/heads/{BRANCH}", made.sha)
    return made.sha


def _open_pull(repository: Repository) -> PullRequest | None:
    pulls: Any = repository.get_pulls(state="open", head=f"{repository.owner.login}:{BRANCH}")
    return next((pull for pull in pulls if pull.head.ref == BRANCH), None)


def _body(proposal: PipelineProposal) -> str:
    """What a reviewer reads: the files, their diff's size, and the reasons."""
    lines = [
        "A pipeline for this repository. Nothing that stands here is changed; merge it, edit it or close it."
    ]
    lines += ["", "| file | lines |", "| --- | --- |"]
    for file in _new(proposal):
        added = sum(line.startswith("+ ") for line in difflib.ndiff([], file.text.splitlines()))
        lines.append(f"| `{file.path}` | +{added} |")
    lines += ["", "**Why it looks like this**", ""]
    lines += [f"- {' '.join(reason.split())}" for reason in proposal.reasons]
    return "\n".join(lines)
