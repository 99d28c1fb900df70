# ruff: noqa: E501, ISC004 (the patterns are the data)
"""What no other reader knows: lines that say in plain words that something went wrong."""

from __future__ import annotations

import json
import re

from midas_devops.context.signals import signal_of
from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.candidate import Candidate, Emit
from midas_devops.knowledge.structure.infrastructure import is_task_result
from midas_devops.knowledge.structure.lines import Line
from midas_devops.knowledge.structure.patterns import AnyOf

# Words → category, for messages that the catalogue does not know. The first that fits decides, so the order
# goes from the narrow to the wide: a rate limit often arrives as a 403.
_WORDS: tuple[tuple[Category, str, AnyOf], ...] = tuple(
    (category, cause, AnyOf(pattern, fold=True))
    for category, cause, pattern in (
        (Category.CANCELLED, "It was cancelled",
         r"operation was cancel|\bcancell?ed\b(?!.*HttpClient|.{0,20} while waiting)|aborted by user|interrupted by|received sigterm|sigint\b"),
        (Category.INVALID_CONFIGURATION, "A setting or an argument is not valid",
         r"invalid value|required value|(?:unknown|unsupported|duplicate|missing|unexpected) (?:required )?(?:keyword|flag|field|option|attribute"
         r"|argument|directive|property|parameter|resource \S+ configuration)\b|additional propert|is not allowed here|malformed (?!request)"
         r"|(?:error|failed|unable|cannot) (?:while )?(?:to )?pars(?:e|ing)|: parsing \[|json\.?parse|json ?parse ?error|jsondecode|not valid (?:json|yaml|toml)"
         r"|(?:yaml|toml|json)\S*: line \d|no such field|duplicate key(?! (?:value|error))|could not read (?:the )?(?:private key|certificate)|arguments are required|(?:is|are) undefined\b|is not set\b|syntax errors? in (?:policy|config|template)|config(?:uration)? file error"),
        (Category.LINT_FAILURE, "A lint or format check failed",
         r"(?:is|are|files?) not formatted|would be reformatted|imported but unused|wrong indentation|your code has been rated|checkstyle|whitespacearound|\bcve-\d{4}-|double quote to prevent|line too long|\btfsec\b|\bhadolint\b"),
        (Category.TEST_FAILURE, "A test failed",
         r"assertionerror|thresholds? on metrics|expect(?:ed|s)?\b.{0,80}\b(?:but (?:got|was|were|received|found|never)|to (?:find|equal|be|have|match|contain))"),
        (Category.RESOURCE_EXHAUSTION, "Memory, disk or another resource ran out",
         r"out of memory|outofmemory|no space left|oom.?kill|cannot allocate memory|disk (?:is )?full|enospc|too many open files"
         r"|emfile|heap (?:space|limit|out)|memory (?:limit|exhausted)|\bkilled\b|insufficient (?:cpu|memory|disk)|exit(?:ed)?.{0,12}\b137\b"
         r"|diskpressure|evicted|data too large|low on resource|ephemeral.storage|out of (?:disk|shared memory|resources)|resource temporarily unavailable"),
        (Category.STATE_LOCK, "Something else holds the lock",
         r"state lock|lock (?:is )?(?:held|timeout)|locking state|_in_progress state|(?:another|existing) (?:lock|copy)|lock file .{0,40}(?:exists|held|another)|could not (?:get|acquire|obtain) (?:the )?lock|locked by|unable to lock|index\.lock"
         r"|another (?:process|operation|instance|git process).{0,40}(?:running|progress|locked)|is already locked|waiting for.*lock"),
        (Category.QUOTA_OR_LIMIT, "A quota or rate limit was reached",
         r"rate.?limit|too many requests|\b429\b|quota|throttl|limit ?exceeded|exceed(?:s|ed) .{0,40}(?:limit|quota)|skus? exhausted|slow ?down|toomanyrequests|limit reached"
         r"|maximum (?:number|size|allowed)|(?:may|must) not exceed|spending limit|billing|payload too large|\b413\b|exceeds the (?:maximum|limit)"),
        (Category.AUTHENTICATION, "The credentials were missing, wrong or expired",
         r"authenticat|\b401\b|unauthorized|bad credentials|invalid (?:credentials|token|api key|password|username)|credentials?\b.{0,30}"
         r"(?:not|could|missing|expired|load|found|invalid)|(?:no|unable to locate|missing) credentials|token .{0,20}expired|login failed|logged in"
         r"|password authentication|pg_hba|login was refused|could not read (?:username|password)|publickey|api key|not logged|sso (?:session|login)|run 'az login|default credentials|expired ?token|auth(?:orization)? (?:token|header)"),
        (Category.AUTHORIZATION, "The caller may not do this",
         r"access.?denied|permission.?denied|command denied|must be owner of|forbidden|\b403\b|not authori[sz]ed|permission|unauthorizedoperation|insufficient (?:privileges|scope)"
         r"|\beacces\b|\beperm\b|operation not permitted|not allowed to|requires? .{0,30}(?:role|scope|privilege)|(?:by|violates|against) (?:\S+ ){0,2}policy"),
        (Category.ALREADY_EXISTS, "It exists already",
         r"duplicate name|already_exists|conflicting |conflicts? with another|already (?:exists?|in use|taken|been taken|owned|registered)|duplicate (?:key (?:value|error)|entry|name)|eexist|alreadyexists|name .{0,20}taken"
         r"|conflict.{0,20}409|\b409\b.{0,20}conflict|eaddrinuse"),
        (Category.HEALTH_CHECK_FAILED, "The service did not become healthy",
         r"health.?check|unhealthy|\b0 healthy|boot timeout|failed to bind to \$port|(?:readiness|liveness|startup) probe|not (?:become )?(?:healthy|ready)|crashloop|back-off restarting"
         r"|get /health\S* .{0,20}50\d|progress deadline"),
        (Category.TEST_FAILURE, "A test took too long", r"\btest timeout\b|\btests? (?:case )?timed out"),
        (Category.NETWORK_OR_TIMEOUT, "A connection could not be made, or took too long",
         r"time[d ]? ?-?out|etimedout|connection (?:was )?(?:refused|reset|closed|aborted|error|failed)|econnre|unreachable|no route|dns|resolve host"
         r"|name resolution|no such host|enotfound|eai_again|tls|ssl|certificate|x509|\b50[234]\b|bad gateway|service unavailable|gateway time"
         r"|hung up|broken pipe|cannot assign requested address|eaddrnotavail|connect error|connection termination|\blink failure|could not be established|closed (?:the )?connection|connection (?:was )?closed|network|deadline exceeded|socket|early eof|unexpected eof|could not connect|failed to (?:connect|download|fetch)"
         r"|took (?:too long|>)|returning 124|exit (?:code|status) 124|no response|proxy|curl: \((?!22\))\d+\)|handshake|stalled"),
        (Category.STATE_DRIFT, "What is there is no longer what was expected",
         r"drift|not up to date|precondition ?failed|etag mismatch|hunk #\d+ failed|state serial|in state but|tip of your current branch|merge conflict|conflict \(|non-fast-forward|out of (?:sync|date)|stale|diverge|changed outside|has been modified|could not apply"),
        (Category.DEPENDENCY_INSTALL, "A dependency could not be installed",
         r"dependenc|no matching distribution|could not find a version|package .{0,40}(?:not found|install)|no module named|cannot find (?:module|package)"
         r"|unable to locate package|lock ?file|peer dep|failed building wheel|could not (?:install|resolve)|checksum|integrity(?! constraint)|compatible set of packages|hashes .{0,40}match|no installation candidate|nothing provides|requirements?\.txt"
         r"|module not found|unresolved import|version solving|not in gzip format|not a zip file|does not look like a tar archive|failed to (?:install|build \S+-\d)|\bpip\b|\bnpm\b|apt-get|conda"),
        (Category.COMPILE_ERROR, "It does not compile",
         r"compil(?:ation|er)\b|compile(?: |-)(?:error|fail)|(?:not|to|cannot) compile|\bts\d{4}\b|undefined function|syntax ?error|undefined reference|(?<!for )(?<!to )undeclared|is not defined|not found in scope|linker|unexpected token|build error|cannot find symbol"),
        (Category.LINT_FAILURE, "A lint or format check failed", r"\blint|lint\b|format(?:ting)? check|would reformat|code style|style (?:issue|error|check|violation)|rule violat|pre-commit"),
        (Category.TEST_FAILURE, "A test failed", r"\btests?\b|\brspec\b|assert|expected .* (?:but|got|to)|spec failed|coverage|scenario"),
        (Category.DEPENDENCY_OR_ORDERING, "Something it depends on is not there yet, or still in use",
         r"depends? on|dependent|foreign key|cannot be assumed by|still referenced|not ?empty\b|must (?:remove|detach|delete) .{0,60}first|(?:can ?not|can't) be deleted|can ?not (?:be )?delete|resources still exist|dependencyviolation|in use by|still (?:in use|referenced|exists)|not (?:yet )?(?:available|ready)|\bcycle\b|before it|out of order|ordering"),
        (Category.NOT_FOUND, "Something that was asked for does not exist",
         r"not found(?! in type)|no such|no \w+ (?:exists|is named)\b|not a (?:git )?repository|unable to access jarfile|not host|cannot find a definition|does ?n[o']t exist|\b404\b|could not find|cannot find|unknown (?:revision|tag|image|host|command)|enoent|missing (?:file|artifact)"
         r"|manifest unknown|unable to find|nosuch|notfound|cannot stat|cannot open|can't open"),
        (Category.INVALID_CONFIGURATION, "A setting or an argument is not valid",
         r"invalid|unsupported|malformed|unrecognized|unknown (?:option|flag|argument|key|field|parameter)|must (?:be|not|have)|required"
         r"|missing|illegal|config|should (?:be|implement|contain)|cannot parse|parse error|unexpected (?:key|value|input|argument|end)|not (?:a )?valid|validation|deprecated|schema|yaml|unbound variable"
         r"|bad (?:request|substitution|option)|\b400\b|is not set|not supported|usage:|incompatible|mismatch|template"),
        (Category.TOOL_OR_PROVIDER_BUG, "The tool itself crashed",
         r"panic|segmentation|(?:address|thread|memory|leak)sanitizer|buffer-overflow|use-after-free|core dumped|internal (?:server )?error|unhandled|\bbug\b|stack overflow|sigsegv|sigabrt|bus error|crash|assertion .* failed|\b500\b"),
    )
)  # fmt: skip

_KINDS: dict[str, Category] = {
    "oom": Category.RESOURCE_EXHAUSTION, "disk": Category.RESOURCE_EXHAUSTION,
    "timeout": Category.NETWORK_OR_TIMEOUT, "network": Category.NETWORK_OR_TIMEOUT,
    "cancelled": Category.CANCELLED, "quota": Category.QUOTA_OR_LIMIT, "test": Category.TEST_FAILURE,
    "assertion": Category.TEST_FAILURE, "lint": Category.LINT_FAILURE, "compiler": Category.COMPILE_ERROR,
    "dependency": Category.DEPENDENCY_INSTALL, "panic": Category.TOOL_OR_PROVIDER_BUG,
}  # fmt: skip

_OF_SOURCE = frozenset({Category.COMPILE_ERROR, Category.LINT_FAILURE, Category.TEST_FAILURE})
"""What is wrong with source code is wrong with a configuration where that is the source."""
_SCORES = {5: 54.0, 4: 47.0, 3: 33.0, 2: 14.0}
_VAGUE = re.compile(
    r"^(?:\W*)(?:error|failed|failure|fatal|exception)(?: occurred)?[.:!]*$|^Error: exit status|see (?:the )?(?:logs?|above|output)",
    re.I,
)
_STRUCTURED = re.compile(
    r'"(?:level|severity|lvl|log\.level)"\s*:\s*"?(error|fatal|critical|panic|50|60)\b', re.I
)
_MESSAGE_KEYS = ("msg", "message", "error", "err", "exception", "detail")
_COMMAND = re.compile(
    r"^(?:\S+/)?(?:gcc|g\+\+|clang\+*|cc|c\+\+|nvcc|sccache|ccache|rustc|javac|ar|ld|libtool|cmake|Executing \[)\b.*(?: -\S+){4}"
)


def category_of_words(text: str) -> tuple[Category, str]:
    """Category and cause of a message by its words alone; ``unknown`` when none fits."""
    low = text.lower()
    for category, cause, pattern in _WORDS:
        if pattern.found(text, low):
            return category, cause
    return Category.UNKNOWN, ""


def name_by_words(candidate: Candidate) -> None:
    """Give a candidate without a category the one that its words, or else its form, suggest."""
    if candidate.category is not Category.UNKNOWN or candidate.entry_id or candidate.is_wrapper:
        return
    category, cause = category_of_words(candidate.matching or candidate.text)
    if candidate.kind == "terraform" and category in _OF_SOURCE:
        category, cause = Category.INVALID_CONFIGURATION, "The configuration is not valid"
    candidate.category = candidate.hint if category is Category.UNKNOWN else category
    candidate.cause = cause or candidate.cause


class GenericReader:
    """Proposes every line whose words state an error, by how plainly they do."""

    @property
    def open(self) -> bool:
        return False

    def feed(self, line: Line, emit: Emit) -> None:
        text = line.text.strip()
        if len(text) < 4 or _COMMAND.match(text) or is_task_result(text):  # noqa: PLR2004
            return
        message = _message(text)
        signal = signal_of(line.marked)
        score = _SCORES.get(signal.strength, 0.0)
        if message != text and _STRUCTURED.search(text):
            score = max(score, 46.0)
        if not score:
            return
        if _VAGUE.search(message):
            score -= 18
        if line.mark == "error" and not signal.is_wrapper:
            score = max(score, 56.0)
        warning = signal.strength <= 2 or line.mark == "warning"  # noqa: PLR2004
        emit(
            Candidate(
                anchor=line.no, text=message, kind="generic" if not signal.is_wrapper else "wrapper",
                score=12.0 if signal.is_wrapper else score, category=Category.UNKNOWN, before=2, after=4,
                is_wrapper=signal.is_wrapper, is_warning=warning,
                hint=_KINDS.get(signal.kind, Category.UNKNOWN),
            )
        )  # fmt: skip

    def end(self, emit: Emit) -> None:
        """Nothing is ever held back."""


def _message(text: str) -> str:
    """The message of a structured log line (JSON), else the line."""
    if text.startswith("{") and text.endswith("}"):
        try:
            record = json.loads(text)
        except ValueError:
            return text
        if isinstance(record, dict):
            parts = [str(record[key]) for key in _MESSAGE_KEYS if isinstance(record.get(key), str)]
            return ": ".join(parts) or text
    return text


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut at the end, in one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
