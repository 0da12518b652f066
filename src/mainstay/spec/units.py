"""Quantities as people write them: ``800ms``, ``20%``, ``100/s``, ``512MiB``, ``50ms..1s``.

Every reader takes text (or a bare number where that can't be mistaken) and returns a plain number
in the base unit; every writer is its inverse, so that a declaration survives load, dump, load.
"""

import math
import re
from dataclasses import dataclass

DURATION_S_MAX = 366 * 86400.0
"""No duration of a declaration may be longer than a year: a longer one is a typing error."""

_DURATION_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {
    "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_PERIODS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_NUMBER = r"\d{1,15}(?:\.\d{1,9})?"
_DURATION_PART = re.compile(rf"({_NUMBER})\s?(us|ms|s|m|h|d)")
_SIZE = re.compile(rf"({_NUMBER})\s?([KMGT]i?B|B)")
_PERCENT = re.compile(rf"({_NUMBER})\s?%")
_RATE = re.compile(rf"({_NUMBER})\s?/\s?(s|min|m|h|d)")
_FAILURE_RATE = re.compile(
    rf"({_NUMBER}\s?%)\s+of\s+(\d{{1,9}})\s+in\s+(\d{{1,9}}\s+calls|[\w. ]+)"
)


class UnitError(ValueError):
    """A text is not a quantity of the kind asked for."""


def duration_s(text: str) -> float:
    """Read ``800ms``, ``1.5s``, ``1m30s``, ``30d``; return seconds in [0, one year].

    Raises:
        UnitError: Not a duration, a unit is missing, or it is longer than a year.
    """
    total_s, end = 0.0, 0
    for part in _DURATION_PART.finditer(text):
        if part.start() != end:
            break
        total_s += float(part[1]) * _DURATION_UNITS_S[part[2]]
        end = part.end()
    if end == 0 or end != len(text):
        raise UnitError(f"not a duration: {text!r}")
    if total_s > DURATION_S_MAX:
        raise UnitError(f"longer than a year: {text!r}")
    return total_s


def duration_text(seconds: float) -> str:
    """Return the shortest text that ``duration_s`` reads back as exactly ``seconds``."""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        amount = seconds / _DURATION_UNITS_S[unit]
        whole = round(amount)
        if whole >= 1 and whole * _DURATION_UNITS_S[unit] == seconds:
            return f"{whole}{unit}"
    if seconds == 0:
        return "0s"
    # Not a whole number of any unit: the number of seconds, without an exponent.
    text = f"{seconds:.9f}".rstrip("0")
    return f"{text}s"


def size_bytes(text: str) -> int:
    """Read ``512MiB``, ``10MB``, ``64KiB``, ``100B``; return bytes.

    Raises:
        UnitError: Not a size, or not a whole number of bytes.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UnitError(f"not a size: {text!r}")
    amount = float(match[1]) * _SIZE_UNITS[match[2]]
    if amount != math.floor(amount):
        raise UnitError(f"not a whole number of bytes: {text!r}")
    return int(amount)


def size_text(size: int) -> str:
    """Return the shortest text that ``size_bytes`` reads back as ``size``."""
    for unit in ("TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "KB"):
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
    percent = float(match[1])
    if percent > 100:  # noqa: PLR2004  A share of a whole.
        raise UnitError(f"above 100%: {text!r}")
    return percent / 100


def share_text(value: float) -> str:
    """Return ``value`` in [0, 1] as a percentage that ``share`` reads back."""
    return f"{value * 100:.9f}".rstrip("0").rstrip(".") + "%"


def rate_per_s(text: str) -> float:
    """Read ``100/s``, ``5/min``, ``1000/h``; return how many a second.

    Raises:
        UnitError: Not a rate, or nothing at all per period.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise UnitError(f"not a rate: {text!r}")
    amount = float(match[1])
    if amount <= 0:
        raise UnitError(f"not above zero: {text!r}")
    return amount / _PERIODS_S[match[2]]


def rate_text(per_s: float) -> str:
    """Return ``per_s`` as a rate that ``rate_per_s`` reads back."""
    for unit in ("s", "min", "h", "d"):
        amount = per_s * _PERIODS_S[unit]
        if round(amount) >= 1 and rate_per_s(f"{round(amount)}/{unit}") == per_s:
            return f"{round(amount)}/{unit}"
    return f"{per_s:.9f}".rstrip("0").rstrip(".") + "/s"


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
    low_s, high_s = duration_s(low_text.strip()), duration_s(high_text.strip())
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
    part, calls_min, window = share(match[1]), int(match[2]), match[3]
    if calls_min < 1 or part <= 0:
        raise UnitError(f"at least one call and more than 0% are needed: {text!r}")
    if window.endswith("calls"):
        window_calls = int(window.removesuffix("calls"))
        if window_calls < calls_min:
            raise UnitError(f"the window has fewer calls than the minimum: {text!r}")
        return ShareOfCalls(share=part, calls_min=calls_min, window_calls=window_calls)
    return ShareOfCalls(share=part, calls_min=calls_min, window_s=duration_s(window.strip()))


def share_of_calls_text(value: ShareOfCalls) -> str:
    """Return ``value`` as ``share_of_calls`` reads it."""
    window = (
        f"{value.window_calls} calls" if value.window_s is None else duration_text(value.window_s)
    )
    return f"{share_text(value.share)} of {value.calls_min} in {window}"
