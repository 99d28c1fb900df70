"""Which names promise a secret, and which only sound like it."""

from __future__ import annotations

import re
from functools import lru_cache

ENVIRONMENT_WORDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL")
"""A variable of our environment whose name holds one of these carries a secret, whatever else it holds."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Always secret, unless the name goes on to say that it is about the secret and not the secret itself.
_GRAVE = _words("""
    password passwords passwd passphrase passcode pwd secret secrets credential credentials
    authorization cookie
""")
_GRAVE_INSIDE = re.compile(
    r"password|passwd|passphrase|secret(?!ar)|credential|api_?key"
    r"|(?:access|auth|refresh|bearer|session)_?token|\wtoken\Z|connection_?string"
    r"|(?:private|access|account|signing|encryption)_?key(?!s?_?(?:name|id|ref))"
)
# Names whose last word is one of these hold a property of a secret, not the secret.
_ABOUT = _words("""
    name names arn ref refs reference version versions type types kind format count counts length len
    size sizes policy policies url uri urls endpoint endpoints path paths file files dir folder store
    index source region expiry expires expiration ttl age lifetime rotation rotated algorithm encryption
    sha sha1 sha256 sha512 digest fingerprint checksum env envs variable budget budgets limit limits
    used usage total max min per second seconds minutes hours days window ratio rate left remaining at
    on enabled required exists exist spec pair pairs state status description manager provider
""")
_ABOUT_KEY = _ABOUT | {"id", "ids"}
# What stands before "key" where it means a name, an index or something made to be shown.
_PLAIN_KEYS = _words("""
    primary foreign partition sort sorting hash range unique composite natural candidate public cache
    idempotency dedup dedupe deduplication effect object s3 bucket prefix backend row column index
    lookup map dict json group grouping join routing ordering order label tag config context setting
    parameter state file path host known translation message for each kms hot arrow any enter press no
    with by node resource instance
""")
_KEY_ITSELF = _words("material data pem value base64 string secret")
_SECRET_NUMBERS = _words("password passwords passwd passphrase passcode pwd")
_SECRET_TOKENS = _words("access refresh auth api session bearer id secret deploy registration")


@lru_cache(maxsize=4096)
def holds_secret(name: str) -> bool:
    """Whether the value at this name is to be hidden: ``db_password``, ``apiKey``; not ``primary_key``."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    # "…key_id" of an access key is half of a credential; of any other key it is an address.
    if words[-3:] == ["access", "key", "id"]:
        return True
    # Jenkins keeps credentials under an id, which stands in every Jenkinsfile.
    if words[-1] in _ABOUT or words[-2:] in (["credentials", "id"], ["credential", "id"]):
        return False
    if _GRAVE & set(words):
        return True
    return (
        _token_is_secret(words) or _key_is_secret(words) or _GRAVE_INSIDE.search("_".join(words)) is not None
    )


def in_environment_holds_secret(name: str) -> bool:
    """The stricter rule for variables of our environment: any name that holds one of the words."""
    upper = name.upper()
    return any(word in upper for word in ENVIRONMENT_WORDS)


def number_is_harmless(name: str) -> bool:
    """Numbers at ``token`` and ``key`` count or order things; numbers at ``password`` do not."""
    words = {word.lower() for word in _WORD.findall(name)}
    return not words & _SECRET_NUMBERS


def _token_is_secret(words: list[str]) -> bool:
    if "token" in words:
        return True
    return "tokens" in words and bool(_SECRET_TOKENS & set(words))


def _key_is_secret(words: list[str]) -> bool:
    if words[-1] in ("key", "keys"):
        before = words[:-1]
        if not before or before[-1] in _PLAIN_KEYS:
            return False
        # Plural keys of anything but a credential are names of things: "sort_keys", "required_keys".
        return words[-1] == "key" or before[-1] in ("api", "access", "private", "secret", "account")
    if "key" not in words or words[-1] in _ABOUT_KEY:
        return False
    return words[0] != "key" or words[-1] in _KEY_ITSELF
