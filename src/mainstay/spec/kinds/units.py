"""Quantities as people write them: ``800ms``, ``20%``, ``100/s``, ``512MiB``, ``50ms..1s``.

Every reader takes text (or a bare number where that can't be mistaken) and returns a plain number
in the base unit; every writer is its inverse, so that a declaration survives load, dump, load.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

DURATION_S_MAX = 366 * 86400.0
"""No duration of a declaration may be longer than a year: a longer one is a typing error."""

SIZE_BYTES_MAX = 2**49
"""No size of a declaration may be larger than half a pebibyte; fifteen digits write each one."""
RATE_PER_S_MAX = 1e12
"""No rate of a declaration may be higher."""
QUOTA_MAX = 1_000_000
"""No quota may be larger, in any time: what counts so fine needs no limit."""

# Quantities are read and written as exact numbers: nanoseconds, bytes, and percent and rates with
# nine decimals. Floats appear only at the end, so that each text has one value and back.
_NS = 10**9
_DURATION_UNITS_NS = {
    "us": 10**3, "ms": 10**6, "s": _NS, "m": 60 * _NS, "h": 3600 * _NS, "d": 86400 * _NS,
}  # fmt: skip
_SIZE_UNITS = {
    "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_PERIODS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_DURATION_PART = re.compile(rf"({_NUMBER}) ?(us|ms|s|m|h|d)")
_SIZE = re.compile(rf"({_NUMBER}) ?([KMGT]i?B|B)")
_PERCENT = re.compile(rf"({_NUMBER}) ?%")
_RATE = re.compile(rf"({_NUMBER}) ?/ ?(s|min|m|h|d)")
_QUOTA = re.compile(r"([0-9]{1,7}) ?/ ?(s|min|m|h|d)")
_FAILURE_RATE = re.compile(
    rf"({_NUMBER} ?%) +of +([0-9]{{1,9}}) +in +(?:([0-9]{{1,9}}) +calls|([0-9a-z. ]{{1,60}}))"
)


class UnitError(ValueError):
    """A text is not a quantity of the kind asked for."""


def duration_s(text: str) -> float:
    """Read ``800ms``, ``1.5s``, ``1m30s``, ``30d``; return seconds in [0, one year].

    Raises:
        UnitError: Not a duration, a unit is missing, it is longer than a year, or finer than a
            nanosecond.
    """
    total_ns, end = Fraction(0), 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != end:
            break
        total_ns += Fraction(part[1]) * _DURATION_UNITS_NS[part[2]]
        end = part.end()
    if end == 0 or end != len(text):
        raise UnitError(f"not a duration: {text!r}")
    if total_ns > DURATION_S_MAX * _NS:
        raise UnitError(f"longer than a year: {text!r}")
    if total_ns.denominator != 1:
        raise UnitError(f"finer than a nanosecond: {text!r}")
    return total_ns.numerator / _NS


def duration_text(seconds: float) -> str:
    """Return the shortest usual text of ``seconds``, to the nanosecond.

    ``duration_s`` reads it back as exactly ``seconds`` for every value that it returned.
    """
    total_ns = round(Fraction(seconds) * _NS)
    if total_ns == 0:
        return "0s"
    for unit in ("d", "h", "m"):
        if total_ns % _DURATION_UNITS_NS[unit] == 0:
            return f"{total_ns // _DURATION_UNITS_NS[unit]}{unit}"
    unit = next((one for one in ("s", "ms") if total_ns >= _DURATION_UNITS_NS[one]), "us")
    return _decimal(Fraction(total_ns, _DURATION_UNITS_NS[unit])) + unit


def _decimal(number: Fraction) -> str:
    """Return ``number`` as a plain decimal, rounded to nine places."""
    scaled = round(number * 10**9)
    return f"{scaled // 10**9}.{scaled % 10**9:09d}".rstrip("0").rstrip(".")


def size_bytes(text: str) -> int:
    """Read ``512MiB``, ``10MB``, ``64KiB``, ``100B``; return bytes.

    Raises:
        UnitError: Not a size, not a whole number of bytes, or above SIZE_BYTES_MAX.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UnitError(f"not a size: {text!r}")
    amount = Fraction(match[1]) * _SIZE_UNITS[match[2]]
    if amount.denominator != 1:
        raise UnitError(f"not a whole number of bytes: {text!r}")
    if amount > SIZE_BYTES_MAX:
        raise UnitError(f"larger than half a pebibyte: {text!r}")
    return amount.numerator


def size_text(size: int) -> str:
    """Return the shortest text that ``size_bytes`` reads back as ``size``."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "KB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def share(text: str) -> float:
    """Read ``20%``; return a share in [0, 1].

    Raises:
        UnitError: Not a percentage, or above 100 %.
    """
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise UnitError(f"not a percentage: {text!r}")
    percent = Fraction(match[1])
    if percent > 100:  # noqa: PLR2004  A share of a whole.
        raise UnitError(f"above 100%: {text!r}")
    return float(percent / 100)


def share_text(value: float) -> str:
    """Return ``value`` in [0, 1] as a percentage that ``share`` reads back."""
    return _decimal(Fraction(value) * 100) + "%"


def rate_per_s(text: str) -> float:
    """Read ``100/s``, ``5/min``, ``1000/h``; return how many a second.

    Raises:
        UnitError: Not a rate, nothing at all per period, or above RATE_PER_S_MAX.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise UnitError(f"not a rate: {text!r}")
    per_s = Fraction(match[1]) / _PERIODS_S[match[2]]
    if not 0 < per_s <= RATE_PER_S_MAX:
        raise UnitError(f"not above zero, or above any real rate: {text!r}")
    return float(per_s)


def rate_text(per_s: float) -> str:
    """Return ``per_s`` as a rate that ``rate_per_s`` reads back; whole numbers where it can."""
    exact = Fraction(per_s)
    whole = [f"{round(exact * _PERIODS_S[unit])}/{unit}" for unit in ("s", "min", "h", "d")]
    parts = [f"{_decimal(exact * _PERIODS_S[unit])}/{unit}" for unit in ("s", "min", "h", "d")]
    for text in whole + parts:
        try:
            if rate_per_s(text) == per_s:
                return text
        except UnitError:
            # Rounded down to nothing, or more digits than a number has: the next unit fits.
            continue
    return parts[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A range of durations, ``50ms..1s``: both ends in seconds, ``low_s <= high_s``."""

    low_s: float
    high_s: float


def between(text: str) -> Between:
    """Read ``50ms..1s``.

    Raises:
        UnitError: Not two durations with ``..`` between them, or the first is the longer one.
    """
    low_text, dots, high_text = text.partition("..")
    if not dots:
        raise UnitError(f"not a range of durations: {text!r}")
    low_s, high_s = duration_s(low_text.rstrip(" ")), duration_s(high_text.lstrip(" "))
    if low_s > high_s:
        raise UnitError(f"the range is upside down: {text!r}")
    return Between(low_s=low_s, high_s=high_s)


def between_text(value: Between) -> str:
    """Return ``value`` as ``between`` reads it."""
    return f"{duration_text(value.low_s)}..{duration_text(value.high_s)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOfCalls:
    """``50% of 20 in 30s``: a share of at least ``calls_min`` calls, over a window.

    The window is ``window_s`` seconds or the last ``window_calls`` calls; the other one is None.
    """

    share: float
    calls_min: int
    window_s: float | None = None
    window_calls: int | None = None


def share_of_calls(text: str) -> ShareOfCalls:
    """Read ``50% of 20 in 30s`` (time window) or ``50% of 20 in 100 calls`` (count window).

    Raises:
        UnitError: Not of that form, no minimum of calls, or a window smaller than the minimum.
    """
    match = _FAILURE_RATE.fullmatch(text)
    if match is None:
        raise UnitError(f"not a share of calls: {text!r}")
    part, calls_min = share(match[1]), int(match[2])
    if calls_min < 1 or part <= 0:
        raise UnitError(f"at least one call and more than 0% are needed: {text!r}")
    if match[3] is not None:
        if int(match[3]) < calls_min:
            raise UnitError(f"the window has fewer calls than the minimum: {text!r}")
        return ShareOfCalls(share=part, calls_min=calls_min, window_calls=int(match[3]))
    window_s = duration_s(match[4])
    if window_s == 0:
        raise UnitError(f"the window is empty: {text!r}")
    return ShareOfCalls(share=part, calls_min=calls_min, window_s=window_s)


def share_of_calls_text(value: ShareOfCalls) -> str:
    """Return ``value`` as ``share_of_calls`` reads it."""
    window = (
        f"{value.window_calls} calls" if value.window_s is None else duration_text(value.window_s)
    )
    return f"{share_text(value.share)} of {value.calls_min} in {window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """So many in a time, ``100/s``: unlike a rate it keeps the time that it was said for.

    Attributes:
        count: From 1.
        per_s: The time in seconds: 1, 60, 3600 or 86400.
    """

    count: int
    per_s: int


def quota(text: str) -> Quota:
    """Read ``100/s``, ``5/min``, ``1000/h``, ``10000/d``.

    Raises:
        UnitError: Not of that form, nothing at all, or more than QUOTA_MAX.
    """
    match = _QUOTA.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= QUOTA_MAX:
        raise UnitError(f"not a quota: {text!r}")
    return Quota(count=int(match[1]), per_s=_PERIODS_S[match[2]])


def quota_text(value: Quota) -> str:
    """Return ``value`` as ``quota`` reads it."""
    unit = next(one for one in ("s", "min", "h", "d") if _PERIODS_S[one] == value.per_s)
    return f"{value.count}/{unit}"
