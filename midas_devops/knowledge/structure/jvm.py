# ruff: noqa: E501 (the patterns are the data)
"""Java stack traces (the last ``Caused by`` is the root), Maven's goals and Gradle's "What went wrong"."""

from __future__ import annotations

import re

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.candidate import Candidate, Emit
from midas_devops.knowledge.structure.lines import Line
from midas_devops.knowledge.structure.python import exception_category

_HEAD = re.compile(
    r"^(?:Exception in thread \"[^\"]+\" |\[ERROR\] |\S* ?ERROR \S* ?|org\.\S+ )?"
    r"(?P<name>(?:[a-z_]\w*\.)+[A-Z]\w*(?:Exception|Error|Failure|Failed|Throwable|Abort)\w*)(?::\s*(?P<message>.*))?$"
)
_CAUSED = re.compile(r"^\s*Caused by: (?P<name>(?:[\w$]+\.)*[\w$]+)(?::\s*(?P<message>.*))?")
_AT = re.compile(r"^\s+at [\w.$/<>@-]+\(|^\s+\.\.\. \d+ (?:more|common frames)")
_TEST_FRAME = re.compile(r"^\s+at .*(?:Test\.|Tests\.|Spec\.|IT\.|Test\$|org\.junit|org\.testng|spock)")
_ASSERTION = re.compile(
    r"AssertionFailedError|AssertionError|ComparisonFailure|MockitoException|WantedButNotInvoked"
)
_WRONG = re.compile(r"^\* What went wrong:")
_GOAL = re.compile(
    r"^\[ERROR\] (?:Failed to execute goal|Plugin |The build could not read|Non-resolvable|Unresolveable)"
)
_GOAL_NOISE = re.compile(
    r"Compilation failure|There are test failures|Command execution failed|You have \d+ Checkstyle violation"
)
_PATIENCE = 80


class StackTraceReader:
    """Reads one stack trace at a time and proposes its root."""

    def __init__(self) -> None:
        self._root: Line | None = None
        self._head: Line | None = None
        self._test = False
        self._quiet = 0
        self._frames = 0

    @property
    def open(self) -> bool:
        return self._root is not None

    def feed(self, line: Line, emit: Emit) -> None:
        if _CAUSED.match(line.text):
            self._root = line
            self._head = self._head or line
            self._quiet = 0
        elif self._root is not None and _AT.match(line.text):
            self._frames += 1
            self._quiet = 0
            self._test = self._test or bool(_TEST_FRAME.match(line.text))
        elif "." in line.text and _HEAD.match(line.text):
            self.end(emit)
            self._root = self._head = line
        elif self._root is not None:
            self._quiet += 1
            if self._quiet > 2 or self._frames > _PATIENCE:  # noqa: PLR2004
                self.end(emit)

    def end(self, emit: Emit) -> None:
        root, frames = self._root, self._frames
        test, self._test = self._test, False
        self._root = self._head = None
        self._quiet = self._frames = 0
        if root is None:
            return
        text = root.text.strip()
        category, cause = exception_category(text)
        asserted = bool(_ASSERTION.search(text))
        if test or asserted:
            category, cause = Category.TEST_FAILURE, "A test failed"
        emit(
            Candidate(
                anchor=root.no, text=text, kind="stack", score=68.0 if frames else 55.0, category=category, cause=cause,
                before=3, after=5, in_test=test or asserted, fixed_category=test or asserted,
            )
        )  # fmt: skip


class BuildToolReader:
    """Reads what Maven's failing goal and Gradle's "What went wrong" say themselves."""

    def __init__(self) -> None:
        self._wrong = 0

    @property
    def open(self) -> bool:
        return self._wrong > 0

    def feed(self, line: Line, emit: Emit) -> None:
        if _WRONG.match(line.text):
            self._wrong = line.no
            return
        if self._wrong:
            text = line.text.strip()
            told = not text.startswith("Execution failed for task") and text
            if told or line.no - self._wrong > 4:  # noqa: PLR2004
                self._wrong = 0
            if told and not line.text.startswith("* "):
                emit(self._told(line, text))
            return
        if _GOAL.match(line.text):
            noise = bool(_GOAL_NOISE.search(line.text))
            emit(
                Candidate(
                    anchor=line.no, text=line.text, kind="maven", score=30 if noise else 58, is_wrapper=noise,
                    category=Category.UNKNOWN, cause="A Maven goal failed", before=1, after=4,
                )
            )  # fmt: skip

    def end(self, emit: Emit) -> None:
        del emit
        self._wrong = 0

    def _told(self, line: Line, text: str) -> Candidate:
        consequence = re.search(
            r"Compilation (?:failed|error)|There were failing tests|finished with non-zero exit", text
        )
        return Candidate(
            anchor=line.no, text=text, kind="gradle", score=32 if consequence else 62, category=Category.UNKNOWN,
            cause="A Gradle task failed", before=3, after=5, is_wrapper=bool(consequence),
        )  # fmt: skip
