"""``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date in any of HTTP's three forms. Pure."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"0*([0-9]{1,9})")
_DIGITS = re.compile(r"[0-9]+")

LONGEST_S = 1e9
"""32 years. Who asks for more gets no more: it is later than any deadline."""

_TEXT_MAX = 64


def retry_after_s(value: str, *, now_wall_s: float) -> float | None:
    """Return the seconds that a server asks to wait, or None where it can't be understood.

    Args:
        value: The header's value, from outside: bounded and never trusted.
        now_wall_s: Seconds since 1970; a date is of the server's clock, so this is a wall time.

    Returns:
        At least 0: a date in the past means now. At most ``LONGEST_S``.
    """
    text = value.strip()
    if _DIGITS.fullmatch(text):
        # Not read as a number where it is one of a million digits.
        seconds = _SECONDS.fullmatch(text)
        return float(seconds[1]) if seconds else LONGEST_S
    if len(text) > _TEXT_MAX or " " not in text:
        return None
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone, as in asctime's form, is in UTC.
        at_s = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, at_s - now_wall_s), LONGEST_S)


def http_date(wall_s: float) -> str:
    """Return the date form of ``Retry-After`` for seconds since 1970."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
