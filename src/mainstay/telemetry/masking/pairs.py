"""Secrets in a text that the name before them shows: ``password=…``, ``"token": …``."""

import re
from collections.abc import Callable

_KEY = re.compile(
    r"""(?<!\w)([A-Za-z_][\w.-]{0,127})\\?["']?\]{0,2}\\?["']?[ \t]{0,3}(?:=>|:=|[:=])\s{0,3}"""
)
_TUPLE = re.compile(r"""[(\[]\s?b?(["'])([\w.-]{1,127})\1,\s{0,3}(?=b?["'])""")
_FLAG = re.compile(r"""--([A-Za-z][\w-]{0,127})(?:["'],\s{0,2}|[ \t]{1,3})(?=[^\s-])""")
_ELEMENT = re.compile(r"<(?:\w+:)?([\w.-]{1,127})>(?=[^<])")

_VALUE = re.compile(
    # Each alternative ends where the text does, if not before: what is cut off is secret too.
    r"""\\(?P<escaped>["']).*?(?:\\(?P=escaped)|\Z)|"""
    r"""(?P<prefix>b?)(?P<quote>["'])(?:[^\\]|\\.)*?(?:(?P=quote)|\Z)|"""
    r"""[\[({][^\])}]*(?:[\])}]|\Z)|"""
    r"""(?P<bare>(?:(?:bearer|basic|token|apikey)[ ]{1,2})?[^\s"',;&<>(){}\[\]|]+"""
    # An object's own words for itself: token=Token('...').
    r"""(?:\([^)]*(?:\)|\Z))?)""",
    re.DOTALL | re.IGNORECASE,
)
_TO_TAG = re.compile(r"[^<]*")
_LINE = re.compile(r"[^\r\n]*")
"""Of cookies, which hold pairs and quotes of their own: what follows on the line goes with them."""

_QUOTED = re.compile(r"""b?\\?["']""")

_WHOLE_LINES = frozenset({"cookie", "set-cookie"})
_PARAMETERS = re.compile(r"(?:digest|aws4-hmac-sha256|hawk|oauth)\b[^\r\n]*", re.IGNORECASE)
"""Schemes of ``Authorization`` with several values."""

_NO_SECRETS = frozenset(
    {
        "a", "an", "and", "bool", "bytes", "cannot", "disabled", "does", "empty", "enabled",
        "expected", "expired", "failed", "false", "got", "has", "in", "int", "invalid", "is",
        "malformed", "missing", "mismatch", "must", "no", "none", "not", "null", "ok", "optional",
        "optional[str]", "required", "revoked", "set", "str", "string", "the", "true", "undefined",
        "unknown", "unset", "was", "wrong", "yes",
    }
)  # fmt: skip
"""What prose and code say after ``token:``."""


def hide_pairs(text: str, mask: str, hides: Callable[[str], bool]) -> str:
    """Return ``text`` with ``mask`` instead of the values of keys that ``hides`` names.

    Read are ``key=value`` and ``key: value`` with any quotes, pairs in brackets, options of command
    lines, and elements of XML. A value that is an ordinary word (``token: expired``) stays.
    """
    if "=" in text or ":" in text:
        text = _hide(text, _KEY, 1, mask, hides)
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
        if hides(found[group]):
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
    groups = found.groupdict()
    if groups.get("quote"):
        mask = f"{groups['prefix']}{groups['quote']}{mask}{groups['quote']}"
    elif groups.get("escaped"):
        mask = f"\\{groups['escaped']}{mask}\\{groups['escaped']}"
    elif (groups.get("bare") or "").lower().rstrip(".") in _NO_SECRETS:
        return None
    return mask, found.end()
