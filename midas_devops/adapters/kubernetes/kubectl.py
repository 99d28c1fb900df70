"""kubectl, always told which context and namespace: looks that change nothing, and changes that are noted."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midas_devops.adapters.at_work import AtWork
from midas_devops.adapters.child import run_to_file
from midas_devops.adapters.local.journal import StepFailedError
from midas_devops.config import KubernetesDeploy
from midas_devops.errors import ToolError
from midas_devops.safety.private import private_folder

Json = dict[str, Any]
"""A Kubernetes object, as the API server writes it."""

FIELD_MANAGER = "midas-devops"
_REQUEST_SECONDS = 30
_LOOK_SECONDS = 90.0
_GRACE = 5.0
_SHOWN = 600
_CONFLICT = re.compile(r'conflicts? with "(?P<manager>[^"]*)"')
_HINTS = (
    (
        re.compile(r"context .* does not exist|no context exists"),
        "correct context in midas.toml, or KUBECONFIG: kubectl config get-contexts",
    ),
    (
        re.compile(
            r"unable to connect|connection refused|i/o timeout|no such host|TLS handshake|Timeout", re.I
        ),
        "see whether the cluster can be reached from here: kubectl cluster-info",
    ),
    (
        re.compile(r'namespaces "[^"]*" not found'),
        "make the namespace, or correct namespace in midas.toml: kubectl create namespace NAME",
    ),
    (re.compile(r"forbidden", re.I), "give this user the right: kubectl auth can-i --list"),
    (
        re.compile(r"unauthorized|provide credentials|must be logged in", re.I),
        "renew the credentials of the context",
    ),
)


@dataclass(frozen=True)
class Answer:
    """How one call ended."""

    code: int
    out: str
    err: str


class Kubectl:
    """Calls for one environment. ``scratch`` is a private folder for what is sent and received."""

    def __init__(
        self,
        settings: KubernetesDeploy,
        *,
        root: Path,
        environ: Mapping[str, str],
        scratch: Path,
        commands: AtWork,
        redact: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._root = root
        self._environ = environ
        self._scratch = scratch
        self._commands = commands
        self._redact = redact

    def look(self, *arguments: str, fine: Sequence[int] = (0,)) -> Answer:
        """A call that changes nothing. Raises ``ToolError``."""
        answer = self._call(arguments)
        if answer.code not in fine:
            raise self._error(arguments[0], answer.err)
        return answer

    def get(self, *arguments: str) -> Json | None:
        """Objects as JSON; None for one that is not there. Raises ``ToolError``."""
        text = self.look("get", *arguments, "--ignore-not-found", "-o", "json").out
        if not text.strip():
            return None
        try:
            found: Json = json.loads(text)
        except ValueError as error:
            raise ToolError(
                f"kubectl get {arguments[0]} printed no JSON: {text[:_SHOWN]}", hint="run it by hand"
            ) from error
        return found

    def items(self, kinds: str, *arguments: str) -> list[Json]:
        """A list of objects. Raises ``ToolError``."""
        found = self.get(kinds, *arguments)
        items: list[Json] = found.get("items", []) if found else []
        return items

    def words(self, *arguments: str) -> str:
        """What a look prints, or why it could not be had: for evidence, where every word is welcome."""
        try:
            return self.look(*arguments).out
        except ToolError as error:
            return f"({error.message})\n"

    def apply(self, objects: Sequence[Json]) -> None:
        """Server-side apply. What somebody else owns is not taken from them.

        Raises ``StepFailedError`` (``conflict``, ``refused``, ``timed_out``), ``KeyboardInterrupt``.
        """
        with self.sent(objects) as file:
            arguments = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "-f", str(file))
            answer = self._change("apply", arguments)
            if answer.code and only_ours(answer.err):
                # Our own scaling during a canary is recorded as another way of writing by the same manager.
                answer = self._change("apply", (*arguments, "--force-conflicts"))
        self._judge("apply", answer)

    def change(self, *arguments: str) -> None:
        """One change by its verb: patch, scale, delete, rollout undo. Raises as :meth:`apply`."""
        self._judge(arguments[0], self._change(arguments[0], arguments))

    @contextlib.contextmanager
    def sent(self, objects: Sequence[Json]) -> Iterator[Path]:
        """The objects as a file for ``-f``, gone afterwards: they may hold secrets."""
        private_folder(self._scratch)
        with tempfile.TemporaryDirectory(prefix="kubectl-", dir=self._scratch) as folder:
            file = Path(folder) / "objects.json"
            file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
            yield file

    def _change(self, what: str, arguments: Sequence[str]) -> Answer:
        errors = self._commands.log.with_suffix(".errors")
        try:
            ended = self._commands.run(
                f"kubectl {what}", self._argv(arguments), cwd=self._root, env=self._environ, errors=errors
            )
        except ToolError as error:
            raise StepFailedError("start_failed", f"{error.message} ({error.hint})") from error
        said = errors.read_text("utf-8", "replace")
        errors.unlink()
        if ended.cancelled:
            raise KeyboardInterrupt
        if ended.timed_out:
            raise StepFailedError("timed_out", f"kubectl {what} gave no answer in time")
        return Answer(ended.returncode or 0, self._commands.log.read_text("utf-8", "replace"), said)

    def _judge(self, what: str, answer: Answer) -> None:
        if not answer.code:
            return
        if _CONFLICT.search(answer.err):
            owners = sorted({found["manager"] for found in _CONFLICT.finditer(answer.err)})
            raise StepFailedError(
                "conflict",
                f"{', '.join(owners)} manages fields that this release sets, nothing was forced:"
                f" {self._brief(answer.err)}",
            )
        error = self._error(what, answer.err)
        raise StepFailedError("refused", f"{error.message} ({error.hint})")

    def _call(self, arguments: Sequence[str]) -> Answer:
        private_folder(self._scratch)
        with tempfile.TemporaryDirectory(prefix="kubectl-", dir=self._scratch) as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            ended = run_to_file(
                self._argv(arguments),
                cwd=self._root,
                env=self._environ,
                log=out,
                errors=err,
                timeout=_LOOK_SECONDS,
                grace=_GRACE,
            )
            if ended.cancelled:
                raise KeyboardInterrupt
            if ended.timed_out:
                raise ToolError(
                    f"kubectl {arguments[0]} gave no answer within {_LOOK_SECONDS:.0f} s",
                    hint="see whether the cluster can be reached from here: kubectl cluster-info",
                )
            return Answer(
                -1 if ended.returncode is None else ended.returncode,
                out.read_text("utf-8", "replace"),
                err.read_text("utf-8", "replace"),
            )

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        settings = self._settings
        # Not logs: they may be long in coming, and end by themselves.
        return [
            "kubectl",
            f"--context={settings.context}",
            f"--namespace={settings.namespace}",
            f"--request-timeout={_REQUEST_SECONDS}s",
            *arguments,
        ]

    def _error(self, what: str, said: str) -> ToolError:
        hint = next((hint for shape, hint in _HINTS if shape.search(said)), "run it by hand to see more")
        where = f"context {self._settings.context}, namespace {self._settings.namespace}"
        return ToolError(
            f"kubectl {what} failed: {self._brief(said) or 'it said nothing'}", hint=hint, location=where
        )

    def _brief(self, said: str) -> str:
        words = " ".join(self._redact(said).split())
        return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


def only_ours(said: str) -> bool:
    """Whether every conflict is with what we wrote ourselves in another way."""
    owners = {found["manager"] for found in _CONFLICT.finditer(said)}
    return owners == {FIELD_MANAGER}
