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
        "credential", "credentials", "kennwort", "passcode", "passphrase", "passwd", "password",
        "passwords", "passwort", "pwd", "secret", "secrets", "senha", "wachtwoord", "пароль",
    }
)  # fmt: skip
"""Secret wherever they stand in a name (``password_old``), unless ``_HARMLESS`` ends it."""

_HARMLESS = frozenset(
    {
        "age", "algorithm", "arn", "attempt", "attempts", "attribute", "backend", "budget",
        "changed", "checked", "class", "count", "date", "days", "enabled", "error", "errors",
        "exists", "expired", "expires", "expiry", "failures", "field", "form", "format", "help",
        "hint", "kind", "label", "len", "length", "limit", "manager", "max", "min", "minimum",
        "mode", "mounted", "name", "names", "path", "policy", "prompt", "provider", "ref",
        "required", "reset", "resets", "rotated", "rotation", "rounds", "rules", "scheme", "score",
        "set", "size", "source", "state", "status", "strength", "time", "timeout", "ttl", "type",
        "updated", "url", "valid", "validator", "version",
    }
)  # fmt: skip
"""What a name says about a secret without being one. ``at`` is one too, but after a verb only."""

_ENDINGS = frozenset(
    {
        ("access", "key"), ("access", "keys"), ("account", "key"), ("account", "number"),
        ("api", "key"), ("api", "keys"), ("auth",), ("auth", "code"), ("auth", "key"),
        ("authorization",), ("authorization", "code"), ("backup", "code"), ("backup", "codes"),
        ("birth", "date"), ("card", "cvc"), ("card", "no"), ("card", "number"),
        ("client", "assertion"), ("client", "key"), ("code", "verifier"), ("connection", "string"),
        ("contrase", "ñ", "a"), ("cookie",), ("cookies",), ("credit", "card"), ("csc",), ("csrf",),
        ("cvc",), ("cvv",), ("date", "of", "birth"), ("debit", "card"), ("device", "code"),
        ("dob",), ("dsn",), ("encryption", "key"), ("functions", "key"), ("hmac", "key"), ("iban",),
        ("jwt",), ("jwt", "assertion"), ("license", "key"), ("master", "key"),
        ("mot", "de", "passe"), ("national", "id"), ("otp",), ("pan",), ("passport", "number"),
        ("pin",), ("pin", "code"), ("pkey",), ("presigned", "url"), ("private", "key"), ("pw",),
        ("recovery", "code"), ("recovery", "codes"), ("saml", "assertion"), ("saml", "response"),
        ("sas", "key"), ("secret", "key"), ("security", "code"), ("session", "id"),
        ("session", "key"), ("sessionid",), ("shared", "key"), ("sig",), ("signature",),
        ("signing", "key"), ("social", "security"), ("social", "security", "number"),
        ("ssh", "key"), ("ssn",), ("storage", "key"), ("subscription", "key"), ("tax", "id"),
        ("tfa", "code"), ("token", "hint"), ("totp",), ("verification", "code"), ("webhook", "key"),
        ("x", "session"), ("xsrf",),
    }
)  # fmt: skip
"""Secret where a name ends with these words; digits behind them (``token2``) don't matter."""

_UNLESS = {
    "pass": frozenset(
        {
            "boarding", "current", "each", "final", "first", "high", "last", "low", "multi", "next",
            "one", "per", "render", "season", "second", "shader", "single", "ski", "test", "tests",
            "third", "two",
        }
    ),
    "sid": frozenset(
        {
            "account", "application", "call", "group", "message", "object", "oracle", "owner",
            "service", "windows",
        }
    ),
    "token": frozenset(
        {
            "bos", "cls", "current", "eos", "first", "last", "max", "min", "next", "pad", "page",
            "per", "pos", "prev", "previous", "sep", "stop", "total", "unk",
        }
    ),
}  # fmt: skip
"""Secret at the end of a name, unless one of these is before it: ``smtp_pass``, ``first_pass``."""

_NO_KEYS = frozenset(
    {
        "cache", "deduplication", "foreign", "idempotency", "message", "partition", "primary",
        "public", "request", "routing", "sort", "surrogate",
    }
)  # fmt: skip
"""Before ``key`` in headers of one's own, nearly all others of which are credentials."""

_TOKEN_LISTS = frozenset({"access", "auth", "bearer", "id", "refresh", "session"})
"""``refresh_tokens`` are tokens; ``max_tokens`` and ``tokens`` alone are numbers of words."""

_RUN_TOGETHER = (
    "accesskey", "adminpass", "apikey", "authcode", "authorization", "cardnumber", "cookie",
    "creditcard", "dbpass", "encryptionkey", "passphrase", "passwd", "password", "passwordhash",
    "passwort", "privatekey", "requirepass", "rootpass", "secret", "secretkey", "sessid",
    "sessionid", "signingkey", "smtppass", "token", "userpass",
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
    return _ends_secret(words)


def _ends_secret(words: tuple[str, ...]) -> bool:
    """Return whether a name's last word is a secret's, with regard to those before it."""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _UNLESS:
        return before not in _UNLESS[last]
    if last == "tokens":
        return before in _TOKEN_LISTS
    if last == "key" and words[0] == "x":
        return before not in _NO_KEYS
    if not _STRONG.isdisjoint(words):
        # `password_changed_at` tells when, `password_at_rest` would be the password.
        ends_harmless = last in _HARMLESS or (last == "at" and before in _HARMLESS)
        return not ends_harmless
    return last.endswith(_RUN_TOGETHER)
