# ruff: noqa: E501 (the patterns are the data)
"""Terraform and OpenTofu (boxes, plain text, JSON stream), Pulumi and Ansible."""

from __future__ import annotations

import json
import re

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.candidate import Candidate, Emit
from midas_devops.knowledge.structure.lines import Line

_BOX_LINE = re.compile(r"^\s*[│|](?: ?)(?P<body>.*)$")
_BOX_ERROR = re.compile(r"^Error: (?P<summary>.+)$")
_BOX_WARNING = re.compile(r"^Warning: (?P<summary>.+)$")
_LOCATION = re.compile(
    r"^\s*(?:on \S.* line \d+|with [\w.\[\]\"-]+,?$|in (?:resource|data|module|provider) )"
)
# Errors in the text of a configuration, told by its place alone. Older engines name no address where a provider
# fails either, but then the place is in the block of what failed.
_IN_TEXT = re.compile(r"^\s*on .+ line \d+(?:, in (?!resource |data |provider |ephemeral |action ).+)?:$")
_ANNOUNCES = re.compile(r"Error: (?:Terraform|OpenTofu) encountered problems during initiali")
_MAX_BLOCK = 40
_WARNING_SCORE = 20.0


class TerraformReader:
    """Reads error boxes and the same errors without a box. A box is one message, however it is wrapped."""

    def __init__(self) -> None:
        self._head: Line | None = None
        self._boxed = False
        self._body: list[str] = []
        self._blank = 0
        self._last = 0
        self._in_warning = False

    @property
    def open(self) -> bool:
        return self._head is not None or self._in_warning

    def settle(self, candidate: Candidate) -> None:
        """What stands in a warning's box explains no failure, whatever words it uses."""
        if self._in_warning:
            candidate.is_warning = True
            candidate.score = min(candidate.score, _WARNING_SCORE)

    def feed(self, line: Line, emit: Emit) -> None:
        text = line.text
        if '"@level"' in text or '"diagnostic"' in text:
            self._stream(line, emit)
            return
        boxed = _BOX_LINE.match(text)
        body = boxed["body"] if boxed else text
        if boxed and (self._in_warning or _BOX_WARNING.match(body)):
            self.end(emit)
            self._in_warning = True
            return
        self._in_warning = False
        if _BOX_ERROR.match(body) and (boxed or not body.startswith("Error: Process completed")):
            self.end(emit)
            self._head, self._boxed = line, bool(boxed)
            self._body, self._blank, self._last = [body.strip()], 0, line.no
        elif self._head is not None:
            self._more(line, body, boxed=bool(boxed), emit=emit)

    def _more(self, line: Line, body: str, *, boxed: bool, emit: Emit) -> None:
        stripped = body.strip()
        self._blank = 0 if stripped else self._blank + 1
        closes = (
            (self._boxed and not boxed)
            or line.no - self._last > _MAX_BLOCK
            or self._blank > 1
            or stripped.startswith(("╵", "╷", "##[", "Warning:"))
        )
        if closes or len(self._body) > _MAX_BLOCK:
            self.end(emit)
        elif stripped:
            self._body.append(stripped)
            self._last = line.no

    def end(self, emit: Emit) -> None:
        head = self._head
        if head is None:
            return
        places = [part for part in self._body[1:] if _LOCATION.match(part)]
        in_text = any(_IN_TEXT.match(part) for part in places) and not any(
            part.startswith("with ") for part in places
        )
        known = self._boxed or bool(places)
        if not _ANNOUNCES.match(self._body[0]):
            emit(
                Candidate(
                    anchor=head.no, text=self._body[0], kind="terraform" if known else "block", score=72 if known else 50,
                    category=Category.INVALID_CONFIGURATION if in_text else Category.UNKNOWN,
                    hint=Category.INVALID_CONFIGURATION if places else Category.UNKNOWN,
                    cause="The configuration is not valid" if in_text else "Terraform reported an error",
                    before=1 if self._boxed else 0, after=min(self._last - head.no, 16), matching=" ".join(self._body),
                )
            )  # fmt: skip
        self._head, self._body = None, []

    def _stream(self, line: Line, emit: Emit) -> None:
        """One record of ``terraform … -json``: ``@level``, ``@message`` and a ``diagnostic``."""
        start = line.text.find("{")
        try:
            record = json.loads(line.text[start:])
        except ValueError:
            return
        if not isinstance(record, dict):
            return
        found = record.get("diagnostic")
        diagnostic = found if isinstance(found, dict) else {}
        if record.get("@level") != "error" and diagnostic.get("severity") != "error":
            return
        message = str(diagnostic.get("summary") or record.get("@message", ""))
        emit(
            Candidate(
                anchor=line.no, text=message, kind="terraform", score=72 if diagnostic else 56,
                category=Category.UNKNOWN, cause="Terraform reported an error", before=0, after=0,
                matching=f"{message} {diagnostic.get('detail', '')}",
            )
        )  # fmt: skip


_PULUMI_ERROR = re.compile(
    r"^\s+(?:\* )?(?:error: )(?P<message>.+)|^error: (?P<plain>update failed|preview failed|.+)$"
)
_PULUMI_HEAD = re.compile(r"^\s{2}[\w:/-]+ \([\w.:/-]+\):$|^Diagnostics:$")
_ANSIBLE = re.compile(r"^(?:fatal|failed): \[(?P<host>[^\]]+)\](?:: | \().*(?:FAILED!|UNREACHABLE!|=> )")
_ANSIBLE_IGNORED = re.compile(r"^\.\.\.ignoring")


_LONGEST_RESULT = 30
"""Lines of one task's result, when it is printed over several."""


def is_task_result(text: str) -> bool:
    """Whether this is the result of an Ansible task: only the line after it says whether it counts."""
    return _ANSIBLE.match(text) is not None


class PlaybookReader:
    """Reads Pulumi's diagnostics and Ansible's ``fatal`` lines, except the ignored ones."""

    def __init__(self) -> None:
        self._pulumi_until = 0
        self._held: Candidate | None = None

    @property
    def open(self) -> bool:
        return self._pulumi_until > 0 or self._held is not None

    def feed(self, line: Line, emit: Emit) -> None:
        if self._held is not None:
            if _ANSIBLE_IGNORED.match(line.text):
                self._held = None
                return
            if (
                line.text.startswith(("}", "TASK", "PLAY", "fatal:", "failed:", "NO MORE"))
                or line.no - self._held.anchor > _LONGEST_RESULT
            ):
                self._flush(line, emit)
            return
        if _ANSIBLE.match(line.text):
            self._hold(line)
            return
        if _PULUMI_HEAD.match(line.text):
            self._pulumi_until = line.no + 12
        elif self._pulumi_until:
            found = _PULUMI_ERROR.match(line.text)
            if found and not (found["plain"] or "").endswith(" failed"):
                message = found["message"] or found["plain"]
                emit(
                    Candidate(
                        anchor=line.no, text=message, kind="pulumi", score=70, category=Category.UNKNOWN,
                        cause="Pulumi reported an error", before=2, after=5,
                    )
                )  # fmt: skip
            if line.no > self._pulumi_until:
                self._pulumi_until = 0

    def end(self, emit: Emit) -> None:
        if self._held is not None:
            emit(self._held)
            self._held = None

    def _flush(self, line: Line, emit: Emit) -> None:
        """An ignored failure says so on the line after its result, so a result waits for what follows."""
        if line.text.startswith("}"):
            return
        self.end(emit)
        if _ANSIBLE.match(line.text):
            self._hold(line)

    def _hold(self, line: Line) -> None:
        unreachable = "UNREACHABLE" in line.text
        self._held = Candidate(
            anchor=line.no, text=line.text, kind="ansible", score=70,
            category=Category.NETWORK_OR_TIMEOUT if unreachable else Category.UNKNOWN,
            cause="Ansible could not reach a host" if unreachable else "An Ansible task failed", before=3, after=5,
        )  # fmt: skip
