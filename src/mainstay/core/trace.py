"""W3C Trace Context: read ``traceparent`` strictly, take a trace over or begin one.

Sources: W3C Trace Context Level 1 (2021), section 3.2, and Level 2 (the random flag).
"""

import re
from contextvars import ContextVar
from random import Random
from typing import NamedTuple

SAMPLED = 0x01
RANDOM = 0x02

# A version above 00 may go on after a dash; what follows is for readers of that version.
_TRACEPARENT = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.DOTALL
)
_HEADER_BYTES_MAX = 512
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16


class Trace(NamedTuple):
    """The trace that one request belongs to. A tuple, since one is made for every request.

    Attributes:
        trace_id: 32 lower-case hex digits, not all zero.
        span_id: 16 hex digits: this service's own part of the trace.
        parent_id: 16 hex digits: the caller's part; None where the trace begins here.
        flags: ``SAMPLED`` and ``RANDOM``; other bits are zero.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    flags: int

    @property
    def traceparent(self) -> str:
        """The header to send with a call that belongs to this request."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


_current: ContextVar[Trace | None] = ContextVar("mainstay_trace", default=None)
enter_trace = _current.set
leave_trace = _current.reset


def current_trace() -> Trace | None:
    """Return the trace of the request being answered here, or None outside of one."""
    return _current.get()


def parse_traceparent(header: bytes) -> tuple[str, str, int] | None:
    """Return (trace id, caller's span id, flags) of a ``traceparent``, or None if it is not valid.

    Upper-case digits, version ``ff``, ids of zeros and version 00 with anything behind it are not
    valid. Flags that this version doesn't know are dropped, as the standard asks.
    """
    if len(header) > _HEADER_BYTES_MAX:
        return None
    match = _TRACEPARENT.fullmatch(header)
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == b"ff" or trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    if version == b"00" and rest is not None:
        return None
    return trace_id.decode(), parent_id.decode(), int(flags, 16) & (SAMPLED | RANDOM)


def take_over(header: bytes | None, rng: Random) -> Trace:
    """Return the trace that a request belongs to: the caller's, else a new one.

    Args:
        header: The value of ``traceparent``; None where there is none, or more than one.
        rng: Where ids come from. Not for secrets: ids are public.
    """
    parsed = None if header is None else parse_traceparent(header)
    # An id of zeros is not valid; `or 1` is reached once in 2**64.
    span_id = f"{rng.getrandbits(64) or 1:016x}"
    if parsed is None:
        # Sampled, because the access line already records the request.
        return Trace(f"{rng.getrandbits(128) or 1:032x}", span_id, None, SAMPLED | RANDOM)
    trace_id, parent_id, flags = parsed
    return Trace(trace_id, span_id, parent_id, flags)
