"""Secrets that give themselves away by their shape, without anybody knowing their value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from midas_devops.safety.assignments import find_assignments
from midas_devops.safety.encodings import Interval
from midas_devops.safety.literals import Literals


@dataclass(frozen=True)
class Shape:
    """One kind of secret. The pattern runs only where a marker occurs; its group ``s`` is what is hidden."""

    kind: str
    markers: tuple[str, ...]
    """In lower case for those that are looked for in the lower-cased text."""
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] | None = None

    def find(self, text: str) -> Iterator[Interval]:
        for match in self.pattern.finditer(text):
            if self.accept is None or self.accept(match):
                yield match.span("s")


def _shape(
    kind: str,
    markers: str,
    pattern: str,
    accept: Callable[[re.Match[str]], bool] | None = None,
) -> Shape:
    if "(?P<s>" not in pattern:
        pattern = f"(?P<s>{pattern})"
    return Shape(kind, tuple(markers.split()), re.compile(pattern), accept)


def _is_basic_login(match: re.Match[str]) -> bool:
    """Basic authorization is base64 of ``user:password``; the word "Basic" before any other word is prose."""
    text = match["s"]
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


_NOT_BEFORE = r"(?<![A-Za-z0-9_])"

SHAPES: tuple[Shape, ...] = (
    _shape(
        "aws_access_key", "AKIA ASIA ABIA ACCA", r"(?<![A-Z0-9])(?:A[KS]IA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])"
    ),
    # Without a name: 40 digits of base64 right behind an access key, as credential files list them.
    _shape(
        "aws_secret_key",
        "AKIA ASIA",
        r"A[KS]IA[A-Z0-9]{16}[\s,;:|\"'/]{1,12}(?![0-9a-f]{40})(?P<s>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    _shape("aws_signature", "-Signature=", r"X-(?:Amz|Goog)-Signature=(?P<s>[0-9a-fA-F]{32,})"),
    _shape("google_api_key", "AIza", _NOT_BEFORE + r"AIza[0-9A-Za-z_-]{35}"),
    _shape("google_oauth", "ya29. GOCSPX-", _NOT_BEFORE + r"(?:ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})"),
    _shape(
        "azure_key",
        "AccountKey= SharedAccessKey= SharedAccessSignature=",
        r"(?:AccountKey|SharedAccessKey|SharedAccessSignature)=(?P<s>[^\s;\"'<>]{16,})",
    ),
    # Seen from its end, which is rare; from its beginning every word would be tried.
    _shape("azure_key", "==", r"==(?!=)(?<=(?<![A-Za-z0-9+/:-])(?P<s>[A-Za-z0-9+/]{86}==))"),
    _shape("azure_sas", "sig=", r"(?<=[?&;])sig=(?P<s>[A-Za-z0-9%/+_=-]{32,})"),
    _shape("azure_client_secret", "Q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])"),
    _shape("github_token", "ghp_ gho_ ghs_ ghu_ ghr_", _NOT_BEFORE + r"gh[posur]_[A-Za-z0-9]{16,255}"),
    _shape("github_token", "github_pat_", _NOT_BEFORE + r"github_pat_[A-Za-z0-9_]{16,255}"),
    _shape(
        "gitlab_token",
        "glpat- glptt- glrt- gldt- glft- glsoat- glimt- glagent- glcbt- gloas-",
        _NOT_BEFORE + r"gl(?:pat|ptt|rt|dt|ft|soat|imt|agent|cbt|oas)-[\w-]{16,}",
    ),
    _shape(
        "slack_token", "xox xapp-", _NOT_BEFORE + r"(?:xox[a-z](?:\.xox[a-z])?-[\w-]{10,}|xapp-\d-[\w-]{10,})"
    ),
    _shape("slack_webhook", "hooks.slack.com", r"hooks\.slack\.com\\?/[a-z]+\\?/(?P<s>[\w/+\\-]{16,})"),
    _shape("jwt", "eyJ", _NOT_BEFORE + r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*(?:\.[\w-]+){0,2}"),
    _shape("api_key", "sk-", r"(?<![A-Za-z0-9_-])sk-(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}"),
    _shape(
        "api_key", "_live_ _test_ whsec_", _NOT_BEFORE + r"(?:[spr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{16,}"
    ),
    _shape("npm_token", "npm_", _NOT_BEFORE + r"npm_[A-Za-z0-9]{30,}"),
    _shape("pypi_token", "pypi-", _NOT_BEFORE + r"pypi-(?=[\w-]*[A-Z])(?=[\w-]*[a-z0-9])[\w-]{32,}"),
    _shape("huggingface_token", "hf_", _NOT_BEFORE + r"hf_[A-Za-z0-9]{30,}"),
    _shape("digitalocean_token", "_v1_", _NOT_BEFORE + r"do[opr]_v1_[0-9a-f]{64}"),
    _shape("vault_token", "hvs. hvb. hvr.", _NOT_BEFORE + r"hv[sbr]\.[\w-]{20,}"),
    _shape("terraform_token", ".atlasv1.", r"[A-Za-z0-9]{10,20}\.atlasv1\.[\w-]{40,}"),
    _shape("sendgrid_key", "SG.", _NOT_BEFORE + r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    _shape("docker_token", "dckr_", _NOT_BEFORE + r"dckr_(?:pat|oat)_[\w-]{20,}"),
    _shape("databricks_token", "dapi", _NOT_BEFORE + r"dapi[0-9a-f]{32}(?:-\d)?"),
    _shape("age_key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    _shape(
        "url_credentials",
        "://",
        r"://(?P<s>(?!\[redacted:)[^\s/?#\"'<>@:]*:(?![*x]{2,}@|\$\{?\w|\[redacted:)[^\s/?#\"'<>]+|[A-Za-z0-9_-]{20,})@",
    ),
    _shape("url_credentials", r":\/\/", r":\\/\\/(?P<s>[^\s/?#\"'<>@:\\]*:[^\s/?#\"'<>\\]+)@"),
)

ANY_CASE_SHAPES: tuple[Shape, ...] = (
    _shape(
        "authorization",
        "authorization",
        r"(?i:authorization)\\{0,4}[\"']?\s{0,3}[:=]\s{0,3}\\{0,4}[\"']?"
        r"(?i:bearer|basic|token|digest|negotiate|apikey|api-key)\s+(?P<s>[^\s\"'\\,;]{4,})",
    ),
    _shape(
        "authorization",
        "bearer",
        r"(?i:\bbearer)\s+(?P<s>(?=[\w.~+/-]*\d)(?=[\w.~+/-]*[A-Za-z])[\w.~+/-]{16,}=*)",
    ),
    _shape(
        "authorization",
        "basic",
        r"(?i:\bbasic)\s+(?P<s>[A-Za-z0-9+/]{8,}={0,2})(?![\w+/=-])",
        _is_basic_login,
    ),
    # As programs complain: login failed with password 'swordfish'.
    _shape(
        "password",
        "password passphrase",
        r"(?i:\b(?:password|passphrase))[ \t]+\\{0,4}(?P<q>[\"'`])(?P<s>[^\s\"'`\\]{6,200})\\{0,4}(?P=q)",
    ),
    _shape("cookie", "cookie:", r"(?i:\b(?:set-)?cookie):\s*(?P<s>[^\s=;]+=[^\n\"']{4,})"),
)

_MARKERS = Literals(marker for shape in SHAPES for marker in shape.markers)
_ANY_CASE_MARKERS = Literals(marker for shape in ANY_CASE_SHAPES for marker in shape.markers)


def find_shapes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and kind of everything that looks like a secret. Parts may overlap."""
    lowered = text.lower()
    exact, any_case = _MARKERS.present(text), _ANY_CASE_MARKERS.present(lowered)
    present = [shape for shape in SHAPES if not exact.isdisjoint(shape.markers)]
    present += [shape for shape in ANY_CASE_SHAPES if not any_case.isdisjoint(shape.markers)]
    found = [(start, end, shape.kind) for shape in present for start, end in shape.find(text)]
    found.extend((start, end, "value") for start, end in find_assignments(text, lowered))
    return found
