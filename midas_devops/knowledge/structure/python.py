# ruff: noqa: E501, ISC004 (the patterns are the data)
"""Python tracebacks (the exception line is the cause; of a chain, the root) and pytest / unittest reports."""

from __future__ import annotations

import re

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.candidate import Candidate, Emit
from midas_devops.knowledge.structure.lines import Line

_OPEN = re.compile(r"^(?P<indent>[\s|+E>]*)(?P<lead>.{0,80}?)Traceback \(most recent call last\):")
_FRAME = re.compile(r'^[\s|+E>]*File "(?P<file>[^"]+)", line \d+')
_EXCEPTION = re.compile(
    r"^[\s|+>]*(?P<name>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning|Timeout|Failure|Failed"
    r"|Fault|Abort|NotFound|Denied|Refused|Group|DoesNotExist|Exhausted|Unavailable|Exceeded|Invalid|Conflict|Expired"
    r"|Unreachable|Missing|Unauthorized|Forbidden|Violation|Full|Empty|Stop\w*)|(?:[a-z_]\w*\.)+[A-Z]\w+)(?::|$)"
)
_BARE_EXCEPTION = re.compile(r"^(?P<name>[A-Z]\w+): \S")
_CHAIN = re.compile(
    r"The above exception was the direct cause|During handling of the above exception, another exception"
)
_TEST_FILE = re.compile(
    r"(?:^|[/\\])(?:test_[^/\\]*|[^/\\]*_test|conftest)\.py$|[/\\]tests?[/\\]|unittest[/\\]|_pytest[/\\]"
)
_INSTALL_FILE = re.compile(
    r"setuptools|pip[/\\]_(?:vendor|internal)|pyproject_hooks|[/\\]setup\.py$|build_meta|distutils"
)
_IGNORED = re.compile(
    r"Exception ignored|Unraisable|UserWarning|warnings\.warn|WARNING|\bWARN\b|ignor(?:ed|ing)|--- Logging error|DeprecationWarning"
)
_WRAPPING = re.compile(
    r"CalledProcessError|SystemExit|^RuntimeError: .* failed!?$|^RuntimeError: Command .* (?:returned|failed)|ChildFailedError"
    r"|^RuntimeError: .*(?:exit(?:ed)? (?:code|status|with)|see (?:the )?(?:log|above)|returned non-zero)|FatalError: Command "
    r"|^(?:subprocess\.)?TimeoutExpired|KeyboardInterrupt|ProcessExitedException|DistutilsExecError|CompileError: command"
)
_PATIENCE = 25

_BY_EXCEPTION: tuple[tuple[re.Pattern[str], Category, str], ...] = tuple(
    (re.compile(pattern), category, cause)
    for pattern, category, cause in (
        (r"MemoryError|OutOfMemory|No space left", Category.RESOURCE_EXHAUSTION, "The process ran out of memory or space"),
        (r"partially initialized module|circular import", Category.TOOL_OR_PROVIDER_BUG, "Modules import each other in a circle"),
        (r"^SyntaxError: .*\bJSON\b", Category.INVALID_CONFIGURATION, "Text that should be JSON is not valid"),
        (r"ModuleNotFoundError|ImportError|DistributionNotFound|PackageNotFound|VersionConflict",
         Category.DEPENDENCY_INSTALL, "A Python module is not installed or does not fit"),
        (r"Timeout|TimedOut|Connection|ConnectError|gaierror|NameResolution|SSLError|ProtocolError|URLError|MaxRetryError"
         r"|RemoteDisconnected|IncompleteRead|OperationalError|EndpointConnection|BrokenPipe", Category.NETWORK_OR_TIMEOUT,
         "A connection could not be made, or took too long"),
        (r"PermissionError|Forbidden|AccessDenied|PermissionDenied", Category.AUTHORIZATION, "Access was refused"),
        (r"Unauthorized|Authentication|NoCredentials|CredentialRetrieval|LoginError|InvalidToken",
         Category.AUTHENTICATION, "The credentials were missing or refused"),
        (r"FileNotFoundError|NotFound|NoSuch|DoesNotExist", Category.NOT_FOUND, "Something that was needed does not exist"),
        (r"FileExistsError|AlreadyExists|IntegrityError", Category.ALREADY_EXISTS, "It exists already"),
        (r"SyntaxError|IndentationError|TabError", Category.COMPILE_ERROR, "Python source is not valid"),
        (r"KeyError: '[A-Z][A-Z0-9_]+'|ValidationError|ImproperlyConfigured|ConfigError|ConfigurationError|JSONDecodeError|"
         r"TOMLDecodeError|ScannerError|ParserError|UndefinedError|SettingsError|configparser|NoSectionError|UsageError|ArgumentError",
         Category.INVALID_CONFIGURATION, "A setting is missing or not valid"),
        (r"(?:Type|Attribute|Name|Index|ZeroDivision|UnboundLocal|Recursion|NotImplemented|Overflow)Error\b|NullPointerException"
         r"|(?:ClassCast|IllegalState|IndexOutOfBounds|ArrayIndexOutOfBounds|UnsupportedOperation|NoSuchElement|Arithmetic)Exception"
         r"|StackOverflowError|NullReferenceException",
         Category.TOOL_OR_PROVIDER_BUG, "The program ended by a defect of its own"),
        (r"AssertionError", Category.TEST_FAILURE, "An assertion failed"),
        (r"KeyboardInterrupt|CancelledError", Category.CANCELLED, "It was interrupted"),
    )
)  # fmt: skip


def exception_category(text: str) -> tuple[Category, str]:
    """Category and cause by the exception's name; ``unknown`` for the programmer's everyday ones."""
    name = text[:300]
    for pattern, category, cause in _BY_EXCEPTION:
        if pattern.search(name):
            return category, cause
    return Category.UNKNOWN, "The program ended with an exception"


def announces_harmless(text: str) -> bool:
    """Whether a traceback right after this line was caught and did no harm."""
    return bool(_IGNORED.search(text))


class TracebackReader:
    """Reads Python tracebacks, also interleaved with other output, also inside a report's margin."""

    def __init__(self) -> None:
        self._inside = False
        self._quiet = 0
        self._test = self._install = self._ignored = False
        self._depth = 0
        self._chain_until = 0
        self._previous: Line | None = None
        self._frame_expected = False

    @property
    def open(self) -> bool:
        return self._inside or self._chain_until > 0

    def feed(self, line: Line, emit: Emit) -> None:
        opened = _OPEN.match(line.text) if "Traceback (most" in line.text else None
        if opened:
            self._start(line, opened)
        elif self._inside:
            self._continue(line, emit)
        elif self._chain_until:
            if _CHAIN.search(line.text):
                self._depth += 1
                self._chain_until = line.no + 4
            elif line.no > self._chain_until:
                self._chain_until, self._depth = 0, 0
        elif bare := self._bare_exception(line):
            emit(bare)
        if line.text.strip():
            self._previous = line

    def end(self, emit: Emit) -> None:
        """A traceback cut off by the end of the log proposes nothing."""

    def _start(self, line: Line, opened: re.Match[str]) -> None:
        if not (self._chain_until and line.no <= self._chain_until):
            self._depth = 0
        before = self._previous.text if self._previous and line.no - self._previous.no <= 2 else ""  # noqa: PLR2004
        self._inside, self._quiet = True, 0
        self._chain_until = 0
        self._test = self._install = False
        self._ignored = bool(_IGNORED.search(opened["lead"]) or _IGNORED.search(before))
        self._frame_expected = False

    def _continue(self, line: Line, emit: Emit) -> None:
        frame = _FRAME.match(line.text)
        if frame:
            self._quiet = 0
            self._frame_expected = True
            self._test = self._test or bool(_TEST_FILE.search(frame["file"]))
            self._install = self._install or bool(_INSTALL_FILE.search(frame["file"]))
            return
        if line.text[:1] in {" ", "\t"} and not line.text.lstrip(" |+").startswith(("  +", "|")):
            self._quiet += 1
        else:
            found = _EXCEPTION.match(line.text) or (self._frame_expected and _BARE_EXCEPTION.match(line.text))
            if found:
                emit(self._candidate(line))
                self._inside = False
                self._chain_until = line.no + 6
                return
            self._quiet += 1
        if self._quiet > _PATIENCE:
            self._inside = False

    def _candidate(self, line: Line) -> Candidate:
        text = line.text.strip()
        category, cause = exception_category(text)
        wrapping = bool(_WRAPPING.search(text))
        score = 24.0 if wrapping else 67.0
        if self._test and not wrapping:
            category, cause = _in_test(category, cause)
        elif self._install and not wrapping:
            category, cause = Category.DEPENDENCY_INSTALL, "A package could not be built or installed"
        return Candidate(
            anchor=line.no, text=text, kind="traceback", score=score - 5 * min(self._depth, 3), category=category,
            cause=cause, before=7, after=4, in_test=self._test, is_wrapper=wrapping, is_warning=self._ignored,
            fixed_category=self._test,
        )  # fmt: skip

    def _bare_exception(self, line: Line) -> Candidate | None:
        """An exception line whose traceback's head is not in the log (a window of a longer one)."""
        found = _EXCEPTION.match(line.text) if line.text[:1].isalpha() else None
        if not found or found["name"].endswith("Warning"):
            return None
        category, cause = exception_category(line.text)
        wrapping = bool(_WRAPPING.search(line.text))
        return Candidate(
            anchor=line.no, text=line.text.strip(), kind="exception", score=22 if wrapping else 56,
            category=category, cause=cause, before=4, after=4, is_wrapper=wrapping,
        )  # fmt: skip


def _in_test(category: Category, cause: str) -> tuple[Category, str]:
    if category is Category.RESOURCE_EXHAUSTION:
        return category, cause
    return Category.TEST_FAILURE, "A test failed"


_SECTION = re.compile(r"^=+ (?P<name>FAILURES|ERRORS|RERUNS|warnings summary|short test summary info|.*) =+$")
_TEST_HEAD = re.compile(r"^_{3,} (?P<name>\S.*?) _{3,}$")
_E_LINE = re.compile(r"^(?:>?\s*)?E {2,}(?P<message>\S.*)$")
_E_NOISE = re.compile(
    r"^(?:assert\b|\+|-|\?|where|Full diff|Use -v|At index|Omitting|\[|\{|\(|and\b|comparison)"
)


class PytestReader:
    """Reads pytest's FAILURES and ERRORS sections: the first ``E`` line of each test is its failure."""

    def __init__(self) -> None:
        self._section = ""
        self._captured = False
        self._head: Line | None = None
        self._answered = False

    @property
    def open(self) -> bool:
        return self._section in {"FAILURES", "ERRORS", "RERUNS"}

    def settle(self, candidate: Candidate) -> None:
        """What standing in a section means for any reader's proposal: a failure of the test, or its output."""
        if self._section == "warnings summary":
            candidate.is_warning = True
        if not self.open:
            return
        candidate.in_test = True
        if candidate.category is not Category.RESOURCE_EXHAUSTION:
            candidate.category, candidate.cause = Category.TEST_FAILURE, "A test failed"
            candidate.fixed_category = True
        if self._captured:
            candidate.score -= 14
        elif self._section == "RERUNS":
            candidate.score -= 4
        elif candidate.kind in {"traceback", "exception"} and not candidate.is_wrapper:
            candidate.score += 8

    def feed(self, line: Line, emit: Emit) -> None:
        text = line.text
        if text.startswith("=") and (section := _SECTION.match(text)):
            self._close(emit)
            self._section, self._captured = section["name"], False
            return
        if not self.open:
            return
        if text.startswith("---") and " Captured " in text:
            self._captured = True
        if text.startswith("___") and (head := _TEST_HEAD.match(text)):
            self._close(emit)
            self._head, self._answered, self._captured = line, False, False
            emit(self._candidate(line, head["name"], 61.0))
        elif not self._answered and self._head and (found := _E_LINE.match(text)):
            self._answered = True
            emit(self._candidate(line, found["message"], 75.0))

    def end(self, emit: Emit) -> None:
        self._close(emit)

    def _close(self, emit: Emit) -> None:
        del emit
        self._head, self._answered = None, False

    def _candidate(self, line: Line, message: str, score: float) -> Candidate:
        head = self._head or line
        near = line.no - head.no <= 12  # noqa: PLR2004
        return Candidate(
            anchor=line.no, text=message, kind="pytest", score=score, category=Category.TEST_FAILURE,
            cause="A test failed", before=line.no - head.no if near else 6, after=5, in_test=True, fixed_category=True,
            first=head.no if near else 0,
        )  # fmt: skip
