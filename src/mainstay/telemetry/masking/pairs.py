"""Secrets in a text that the name before them shows: ``password=…``, ``"token": …``."""

import re
from collections.abc import Callable

_KEY = re.compile(
    # A name, in quotes of any kind and depth, in brackets or with some behind it.
    r"""(?<!\w)([^\W\d][\w.-]{0,127}+(?:[ ](?:key|number|code|id)(?!\w))?)"""
    r"""\\{0,7}["'`]?\]{0,2}\\{0,7}["'`]?(?:\[\d{0,4}\]){0,2}\*{0,2}[ \t]{0,3}"""
    # Where it is compared, only with a literal; as a query has it; or given.
    r"""(?:==?>|:=|(?:[=!]==?|->)(?=\s{0,3}[bfru]{0,2}["'])|[:=](?![:=])|(?:%22)?%3[ADad](?:%22)?)"""
    r"""\s{0,3}"""
)
_TUPLE = re.compile(r"""[(\[]\s?b?(["'])([\w.-]{1,127}+)\1,\s{0,3}(?=b?["'\d])""")
_FLAG = re.compile(r"""--([A-Za-z][\w-]{0,127}+)(?:["'],\s{0,2}|[ \t]{1,3})(?=[^\s-])""")
_ELEMENT = re.compile(
    r"<(?:\w{1,64}:)?([\w.-]{1,127}+)(?:\s[^<>]{0,256}+)?(?<!/)>(?=[^<]|<!\[CDATA)"
)
_NAMED = re.compile(
    # As archives of HTTP, Kubernetes and forms have it.
    r"""\b(?:name|key)\\{0,7}["']?[ \t]{0,3}[:=]\s{0,3}\\{0,7}["']?([\w.-]{1,127}+)\\{0,7}["']?"""
    r""",?\s{0,32}\\{0,7}["']?value\\{0,7}["']?[ \t]{0,3}[:=]\s{0,3}""",
    re.IGNORECASE,
)

_BARE = r"""[^\s"',;&<>(){}\[\]|]+"""
_VALUE = re.compile(
    # Each alternative ends where the text does, if not before: what is cut off is secret too.
    r"""(?P<slashes>\\{1,7})(?P<escaped>["']).*?(?:(?<!\\)(?P=slashes)(?P=escaped)|\Z)|"""
    r"""(?P<prefix>[bfru]{0,2})(?P<quote>\'{3}|"{3}|["'])(?:[^\\]|\\.|\\\Z)*?(?:(?P=quote)|\Z)|"""
    r"""(?P<open>[\[({])|"""
    # A sign that separates belongs to the value where no further pair follows it.
    rf"""(?P<bare>(?:(?:bearer|basic|token|apikey)[ ]{{1,2}})?{_BARE}"""
    rf"""(?:["'&|)](?=\w)(?!\w{{1,64}}\\?["']?\s?[:=]){_BARE})*+)""",
    re.DOTALL | re.IGNORECASE,
)
_BRACKET = re.compile(
    r"""\\.?|(?<![A-Za-z0-9])[bfru]?(?:"(?:[^"\\]|\\.?)*+(?:"|\Z)|'(?:[^'\\]|\\.?)*+(?:'|\Z))|"""
    r"""[\[({]|[\])}]""",
    re.DOTALL,
)
_TO_TAG = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|[^<]*", re.DOTALL)
_LINE = re.compile(r"[^\r\n]*")
"""Of cookies, which hold pairs and quotes of their own: what follows on the line goes with them."""

_QUOTED = re.compile(r"""b?\\?["']""")

_WHOLE_LINES = frozenset({"cookie", "set-cookie"})
_PARAMETERS = re.compile(r"(?:digest|aws4-hmac-sha256|hawk|oauth)\b[^\r\n]*", re.IGNORECASE)
"""Schemes of ``Authorization`` with several values."""

_NO_SECRETS = frozenset(
    {
        "a", "absent", "accepted", "allowed", "an", "and", "anonymous", "are", "basic", "bearer",
        "bool", "bytes", "cannot", "changed", "created", "denied", "digest", "disabled", "does",
        "empty", "enabled", "expected", "expired", "failed", "false", "got", "granted", "has", "in",
        "int", "invalid", "is", "kerberos", "ldap", "malformed", "mismatch", "missing", "must",
        "n/a", "negotiate", "nil", "no", "none", "not", "ntlm", "null", "oauth", "oauth2", "oidc",
        "ok", "optional", "optional[str]", "present", "rejected", "removed", "required", "revoked",
        "rotated", "saml", "set", "skipped", "str", "string", "the", "true", "undefined", "unknown",
        "unset", "updated", "valid", "verified", "was", "wrong", "yes",
    }
)  # fmt: skip
"""What prose and code say after ``token:``."""

_TOLD = re.compile(r"\d{1,6}(?:\.\d{1,6})?(?:ms|us|µs|s|%)|\*+").fullmatch
"""How long it took; and what was hidden before."""

_PARSERS = ("unexpected ", "Unexpected ", "expected ")
"""Before ``token:``, by which a parser means another thing."""


def hide_pairs(text: str, mask: str, hides: Callable[[str], bool]) -> str:
    """Return ``text`` with ``mask`` instead of the values of keys that ``hides`` names.

    Read are ``key=value`` and ``key: value`` with any quotes, pairs in brackets, options of command
    lines, elements of XML, and names beside values. A value that is an ordinary word
    (``token: expired``) stays.
    """
    if "=" in text or ":" in text or "%3" in text:
        text = _hide(text, _KEY, 1, mask, hides)
        if "value" in text or "Value" in text:
            text = _hide(text, _NAMED, 1, mask, hides)
    if "'," in text or '",' in text:
        text = _hide(text, _TUPLE, 2, mask, hides)
    if "--" in text:
        text = _hide(text, _FLAG, 1, mask, hides)
    if "</" in text:
        text = _hide(text, _ELEMENT, 1, mask, hides)
    return text


def _hide(
    text: str, key: re.Pattern[str], group: int, mask: str, hides: Callable[[str], bool]
) -> str:
    """Walk from key to key. The value of one that is no secret may hold further keys."""
    pieces: list[str] = []
    taken = 0
    found = key.search(text)
    while found is not None:
        after = found.end()
        if hides(found[group]) and not text.endswith(_PARSERS, 0, found.start(group)):
            hidden = _hidden(text, after, found[group].lower(), mask, tag=key is _ELEMENT)
            if hidden is not None:
                shown, end = hidden
                pieces += (text[taken:after], shown)
                taken = after = end
        found = key.search(text, after)
    if not taken:
        return text
    pieces.append(text[taken:])
    return "".join(pieces)


def _hidden(text: str, start: int, key: str, mask: str, *, tag: bool) -> tuple[str, int] | None:
    """Return what to show of the value that begins at ``start``, and where it ends; or None."""
    whole = _TO_TAG if tag else None
    if whole is None and _PARAMETERS.match(text, start) is not None:
        whole = _PARAMETERS
    elif whole is None and key in _WHOLE_LINES and _QUOTED.match(text, start) is None:
        whole = _LINE
    found = (whole or _VALUE).match(text, start)
    if found is None:
        return None
    groups, end = found.groupdict(), found.end()
    if groups.get("quote"):
        mask = f"{groups['prefix']}{groups['quote']}{mask}{groups['quote']}"
    elif groups.get("escaped"):
        quote = groups["slashes"] + groups["escaped"]
        mask = f"{quote}{mask}{quote}"
    elif groups.get("open"):
        end = _closing(text, start)
    elif bare := groups.get("bare"):
        if bare.lower().rstrip(".") in _NO_SECRETS or _TOLD(bare):
            return None
        # An object's own words for itself: token=Token('...').
        end = _closing(text, end) if text.startswith("(", end) else end
    return mask, end


def _closing(text: str, start: int) -> int:
    """Return where the bracket at ``start`` is closed; the end of the text where it never is.

    Those within strings don't count.
    """
    depth = 0
    for found in _BRACKET.finditer(text, start):
        sign = found[0]
        if sign in {"[", "(", "{"}:
            depth += 1
        elif sign in {"]", ")", "}"}:
            depth -= 1
            if not depth:
                return found.end()
    return len(text)
