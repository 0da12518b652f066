"""Which names of keys mean that their value is nobody's business. Pure; a name costs a microsecond.

A name is read as words: ``X-API-Key``, ``x_api_key``, ``xApiKey`` are all ``x api key``. Its last
words decide, because they say what the value is: ``api key`` is a secret, ``token count`` is none.
"""

import re

NAME_CHARS_MAX = 200
"""A longer key is no name; its last characters are looked at."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

_STRONG = frozenset(
    {
        "credential", "credentials", "passcode", "passphrase", "passwd", "password", "passwords",
        "pwd", "secret", "secrets",
    }
)  # fmt: skip
"""Secret wherever they stand in a name (``password_old``), unless ``_HARMLESS`` ends it."""

_HARMLESS = frozenset(
    {
        "age", "attempts", "attribute", "backend", "budget", "changed", "class", "count", "date",
        "days", "enabled", "error", "errors", "exists", "expired", "expires", "expiry", "failures",
        "field", "form", "format", "help", "hint", "kind", "label", "len", "length", "limit",
        "manager", "max", "min", "minimum", "name", "names", "path", "policy", "prompt", "provider",
        "ref", "required", "reset", "resets", "rotated", "rotation", "rules",
        "score", "set", "size", "source", "state", "status", "strength", "time",
        "timeout", "ttl", "type", "updated", "url",
        "valid", "validator", "version",
    }
)  # fmt: skip
"""What a name says about a secret without being one. ``at`` is one too, but after a verb only."""

_ENDINGS = frozenset(
    {
        ("access", "key"), ("access", "keys"), ("account", "key"), ("account", "number"),
        ("api", "key"), ("api", "keys"), ("auth",), ("auth", "key"), ("authorization",),
        ("birth", "date"), ("card", "cvc"), ("card", "no"), ("card", "number"), ("client", "key"),
        ("connection", "string"), ("cookie",), ("cookies",), ("credit", "card"), ("csc",),
        ("csrf",), ("cvc",), ("cvv",), ("date", "of", "birth"),
        ("debit", "card"), ("dob",), ("dsn",), ("encryption", "key"), ("hmac", "key"), ("iban",),
        ("jwt",), ("license", "key"), ("master", "key"), ("national", "id"), ("otp",),
        ("pan",), ("passport", "number"), ("pin",), ("pin", "code"), ("pkey",), ("private", "key"),
        ("recovery", "code"), ("recovery", "codes"), ("sas", "key"), ("secret", "key"),
        ("security", "code"), ("session", "id"), ("session", "key"), ("sessionid",),
        ("shared", "key"), ("signature",), ("signing", "key"), ("social", "security"),
        ("social", "security", "number"), ("ssh", "key"), ("ssn",), ("storage", "key"),
        ("tax", "id"), ("tfa", "code"), ("token",), ("totp",), ("verification", "code"),
        ("webhook", "key"), ("xsrf",),
    }
)  # fmt: skip
"""Secret where a name ends with these words; digits behind them (``token2``) don't matter."""

_TOKEN_LISTS = frozenset({"access", "auth", "bearer", "id", "refresh", "session"})
"""``refresh_tokens`` are tokens; ``max_tokens`` and ``tokens`` alone are numbers of words."""

_RUN_TOGETHER = (
    "accesskey", "apikey", "authorization", "cardnumber", "cookie", "creditcard", "encryptionkey",
    "passphrase", "passwd", "password", "passwordhash", "privatekey", "secret", "secretkey",
    "sessid", "sessionid", "signingkey", "token",
)  # fmt: skip
"""Endings of words that nobody separated: ``PGPASSWORD``, ``jsessionid``, ``clientsecret``."""

_WORDS_MAX = max(map(len, _ENDINGS))


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a key's name, in lower case: ``X-APIKey2`` is ``x api key 2``."""
    return tuple(word.lower() for word in _WORD.findall(name[-NAME_CHARS_MAX:]))


def is_secret(name: str, further: frozenset[tuple[str, ...]] = frozenset()) -> bool:
    """Return whether the value of a key may not be shown.

    Args:
        name: Of the key, in any of the usual spellings.
        further: Endings beside those that everybody has, as ``words_of`` returns them.
    """
    words = words_of(name)
    while len(words) > 1 and words[-1].isdigit():
        words = words[:-1]
    if not words:
        return False
    endings = [words[-count:] for count in range(1, min(len(words), _WORDS_MAX) + 1)]
    if any(ending in _ENDINGS for ending in endings):
        return True
    if further and any(words[-count:] in further for count in range(1, len(words) + 1)):
        return True
    last = words[-1]
    if last == "tokens":
        return len(words) > 1 and words[-2] in _TOKEN_LISTS
    if not _STRONG.isdisjoint(words):
        # `password_changed_at` tells when, `password_at_rest` would be the password.
        ends_harmless = last in _HARMLESS or (last == "at" and words[-2] in _HARMLESS)
        return not ends_harmless
    return last.endswith(_RUN_TOGETHER)
