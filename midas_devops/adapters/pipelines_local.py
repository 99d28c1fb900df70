"""Propose a pipeline to a repository on this machine: a branch, and nothing else of it moves."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from midas_devops.adapters.git_command import Git
from midas_devops.errors import BlockedError, ToolError, UsageError
from midas_devops.pipelines.plan import plan_pipeline
from midas_devops.pipelines.tree import MOST_BYTES
from midas_devops.ports.pipeline import PipelineFile, PipelineProposal, ProposalResult

BRANCH = "midas-devops/pipeline"
RUN_TRAILER = "Midas-Devops-Run"
_REF = f"refs/heads/{BRANCH}"
_FILES = ("100644", "100755")
_WEB_USER = re.compile(r"^(https?://)[^/@]*@")
_QUIET = (
    *("-c", "core.hooksPath=/dev/null"),  # a proposal runs nobody's hooks
    *("-c", "user.name=midas-devops"),
    *("-c", "user.email=midas-devops@localhost"),
)


class CommitTree:
    """The tree of one commit, read with git. Symbolic links and submodules are no files."""

    def __init__(self, git: Git, commit: str) -> None:
        self._git = git
        self._commit = commit
        self._blobs: dict[str, str] | None = None
        self._texts: dict[str, str] = {}

    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self._found()))

    def read(self, path: str) -> str:
        if path not in self._found():
            return ""
        if path not in self._texts:
            text = self._begin(self._found()[path]).decode("utf-8", "replace")
            self._texts[path] = text[:MOST_BYTES].replace("\r\n", "\n")
        return self._texts[path]

    def _begin(self, blob: str) -> bytes:
        """As much of a file as is looked at: one of gigabytes is not loaded."""
        with (
            tempfile.TemporaryFile() as said,
            self._git.stream("cat-file", "blob", blob, folder=self._git.folder, complaints=said) as process,
        ):
            data = process.stdout.read(4 * MOST_BYTES) if process.stdout else b""
            process.kill()
        return data

    def _found(self) -> dict[str, str]:
        if self._blobs is None:
            self._blobs = {}
            for record in self._git.lines("ls-tree", "-r", "-z", self._commit, end="\0"):
                facts, _, path = record.partition("\t")
                mode, _, blob = facts.split()
                if mode in _FILES and path.isprintable():
                    self._blobs[path] = blob
        return self._blobs


class LocalPipelines:
    """Implements ``ports.pipeline.PipelineHost`` for git repositories in folders.

    Git's plumbing builds the commit in an index of its own: the person's working tree, index, current branch
    and every other branch stay as they are.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, repository_url: str) -> Path | None:
        """The folder that is meant, if one is."""
        path = repository_url
        if path.startswith("file://"):
            path = unquote(urlsplit(path).path)
        folder = self._root / Path(path).expanduser()
        return folder.resolve() if path and folder.is_dir() else None

    def origin(self, repository_url: str) -> str:
        """The address of the remote ``origin`` without what it may hold of a password; empty without one."""
        folder = self.folder(repository_url)
        answer = Git(folder).run("remote", "get-url", "origin") if folder else None
        return _WEB_USER.sub(r"\1", answer.text.strip()) if answer and answer.ok else ""

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        git, head = self._open(repository_url)
        return plan_pipeline(repository_url, CommitTree(git, head), config_details)

    def check(self, proposal: PipelineProposal) -> None:
        git, head = self._open(proposal.repository)
        if self._standing(git, head, proposal) is None:
            self._base(git, head, proposal)

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult:
        git, head = self._open(proposal.repository)
        if found := self._standing(git, head, proposal):
            return found
        tip, base = self._base(git, head, proposal)
        commit = _commit(git, proposal, base, run_id)
        # The old value makes it an exchange: a branch that somebody moved meanwhile is not touched.
        moved = git.run(
            *_QUIET, "update-ref", "-m", "midas-devops: propose a pipeline", _REF, commit, tip or "0" * 40
        )
        if not moved.ok:
            if found := self._standing(git, head, proposal):
                return found  # somebody else made the same proposal at the same time
            if _tip(git) == tip:
                raise git.refused(f"create the branch {BRANCH}", moved.error)
            raise BlockedError(
                f"the branch {BRANCH} was moved by somebody at the same time: it is never overwritten",
                hint="Ask again: what stands there now is looked at.",
                location=str(git.folder),
            )
        return ProposalResult(
            changed=True,
            branch=BRANCH,
            commit=commit,
            detail=f"look at it with git diff HEAD...{BRANCH}, take it with git merge {BRANCH}",
        )

    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        git, head = self._open(proposal.repository)
        return self._standing(git, head, proposal)

    @staticmethod
    def _base(git: Git, head: str, proposal: PipelineProposal) -> tuple[str, str]:
        """The branch's tip, empty when there is none, and the commit to build on. Raises ``BlockedError``."""
        tip = _tip(git)
        base = tip if tip and not _merged(git, tip, head) else head
        _refuse_a_foreign_branch(git, head, base)
        _refuse_what_is_not_ours(git, proposal, base, is_proposal=base == tip)
        _refuse_checked_out(git)
        return tip, base

    def _standing(self, git: Git, head: str, proposal: PipelineProposal) -> ProposalResult | None:
        wanted = _new(proposal)
        if not wanted:
            return ProposalResult(changed=False, detail="every file stands there already")
        tip = _tip(git)
        if not tip or _merged(git, tip, head):
            return None
        if any(_text(git, tip, file.path) != file.text for file in wanted):
            return None
        return ProposalResult(changed=False, branch=BRANCH, commit=tip, detail="proposed before")

    def _open(self, repository_url: str) -> tuple[Git, str]:
        folder = self.folder(repository_url)
        if folder is None:
            raise UsageError(f"there is no folder '{repository_url}'", hint="Give the repository's folder.")
        git = Git(folder)
        top = git.run("rev-parse", "--show-toplevel")
        if top.ok and Path(top.text.strip()).resolve() != folder:
            raise UsageError(
                f"'{repository_url}' lies inside the repository {top.text.strip()}",
                hint="Give the repository's own folder: a pipeline belongs to the whole of it.",
            )
        head = git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if not head.ok:
            raise UsageError(
                f"'{repository_url}' is no git repository with a commit",
                hint="git init, git add and git commit first: a proposal is a branch beside a commit.",
            )
        return git, head.text.strip()


def proposed_files(folder: Path) -> tuple[str, ...]:
    """Files that the branch of the proposal adds or changes here; none where that cannot be told."""
    try:
        answer = Git(folder).run("diff", "--name-only", "--relative", "-z", f"HEAD...{_REF}")
    except ToolError:
        return ()
    return tuple(filter(None, answer.text.split("\0"))) if answer.ok else ()


def commit_message(proposal: PipelineProposal, run_id: str) -> str:
    """Subject, reasons, and the trailer by which a proposal knows its own commits."""
    reasons = "\n".join(f"- {' '.join(reason.split())}" for reason in proposal.reasons)
    return f"Propose a CI/CD pipeline\n\n{reasons}\n\n{RUN_TRAILER}: {run_id}\n"


def _new(proposal: PipelineProposal) -> list[PipelineFile]:
    return [file for file in proposal.files if not file.exists]


def _tip(git: Git) -> str:
    answer = git.run("rev-parse", "--verify", "--quiet", f"{_REF}^{{commit}}")
    return answer.text.strip() if answer.ok else ""


def _merged(git: Git, tip: str, head: str) -> bool:
    return git.run("merge-base", "--is-ancestor", tip, head).ok


def _text(git: Git, commit: str, path: str) -> str | None:
    answer = git.run("cat-file", "blob", f"{commit}:{path}")
    return answer.text if answer.ok else None


def _refuse_what_is_not_ours(git: Git, proposal: PipelineProposal, base: str, *, is_proposal: bool) -> None:
    for file in _new(proposal):
        if _text(git, base, file.path) in (None, file.text):
            continue
        trailer = f"--format=%(trailers:key={RUN_TRAILER},valueonly)"
        if is_proposal and git.checked("log", "-1", trailer, base, "--", file.path).strip():
            continue
        where = f"on {BRANCH}" if is_proposal else "since it was planned"
        raise BlockedError(
            f"{file.path} was changed by somebody {where}: it is never overwritten",
            hint=f"Merge or delete the branch {BRANCH}, then ask again."
            if is_proposal
            else "Ask again: the file stands there now.",
            location=file.path,
        )


def _refuse_a_foreign_branch(git: Git, head: str, base: str) -> None:
    """A branch of this name without a single commit of ours is somebody's own."""
    ours = f"--format=%(trailers:key={RUN_TRAILER},valueonly)"
    if base != head and not git.checked("log", ours, f"{head}..{base}").strip():
        raise BlockedError(
            f"the branch {BRANCH} holds somebody's own work: nothing is added to it",
            hint="Rename that branch, then ask again.",
            location=str(git.folder),
        )


def _refuse_checked_out(git: Git) -> None:
    where = git.checked("for-each-ref", "--format=%(worktreepath)", _REF).strip()
    if where:
        raise BlockedError(
            f"the branch {BRANCH} is checked out in {where}: moving it would change that working tree",
            hint="Switch to another branch there, then ask again.",
            location=where,
        )


def _commit(git: Git, proposal: PipelineProposal, base: str, run_id: str) -> str:
    """A commit that no branch knows yet, made in an index of its own: a kill leaves nothing to clean up."""
    with tempfile.TemporaryDirectory(prefix="midas-propose-") as folder:
        git = Git(git.folder, index=Path(folder) / "index")
        git.checked("read-tree", base)
        for number, file in enumerate(_new(proposal)):
            written = Path(folder) / str(number)
            written.write_text(file.text, encoding="utf-8", newline="\n")
            blob = git.checked("hash-object", "-w", "--no-filters", str(written)).strip()
            git.checked("update-index", "--add", "--cacheinfo", f"100644,{blob},{file.path}")
        tree = git.checked("write-tree").strip()
        message = Path(folder) / "message"
        message.write_text(commit_message(proposal, run_id), encoding="utf-8", newline="\n")
        return git.checked(*_QUIET, "commit-tree", tree, "-p", base, "-F", str(message)).strip()
