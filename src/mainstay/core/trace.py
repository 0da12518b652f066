"""Who a request is: its trace by W3C Trace Context, the baggage with it, and its own id.

What arrives is read strictly and taken over, or begun anew; what leaves is what arrived, with an
id of one's own in the place of the caller's.

Sources: W3C Trace Context Level 1 (2021), section 3, and Level 2 (keys, the random flag); W3C
Baggage (2024), section 3.
"""

import re
from contextvars import ContextVar
from random import Random
from typing import NamedTuple, Protocol, cast

from mainstay.core.scope import CURRENT

SAMPLED = 0x01
RANDOM = 0x02

_DRAWN = 1 << 64
SAMPLE_ALL = _DRAWN
"""What is below it is sampled: everything."""

_FLAGS = {f"{flags:02x}": flags & (SAMPLED | RANDOM) for flags in range(256)}
_IDS = r"(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
_VERSION_00 = re.compile(rf"00-{_IDS}")
# A version above 00 may go on after a dash; what follows is for readers of that version.
_LATER_VERSION = re.compile(rf"(?!00|ff)[0-9a-f]{{2}}-{_IDS}(?:-[!-~]*)?")
_FORM = b"00-%b-%b-00" % (b"0" * 32, b"0" * 16)
_DIGITS = bytes(ord("0") if byte in b"0123456789abcdef" else byte for byte in range(256))
"""Makes every hex digit a zero, so that whatever has the form of a traceparent is ``_FORM``."""

_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_HEADER_BYTES_MAX = 512
_MEMBERS_MAX = 32
_TRACESTATE_BYTES_MAX = 16_384
_BAGGAGE_BYTES_MAX = 8192
"""What any platform must pass on, and more is nobody's right. W3C Baggage, section 3.3.2."""

_MEMBER = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
"""With the keys of Level 2, of which those of Level 1 are a part."""

_REQUEST_ID_BYTES_MAX = 128
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=~-]{1,128}")
_tuple = tuple.__new__


class Trace(NamedTuple):
    """The trace that one request belongs to. A tuple, since one is made for every request.

    Attributes:
        trace_id: 32 lower-case hex digits, not all zero.
        span_id: 16 hex digits: this service's own part of the trace.
        parent_id: 16 hex digits: the caller's part; None where the trace begins here.
        flags: ``SAMPLED`` and ``RANDOM``; other bits are zero.
        request_id: Of this request: what a trusted peer called it, else ``span_id``.
        vendors: ``tracestate`` as it arrived, not looked at; empty without a parent.
        baggage: As it arrived, not looked at.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    flags: int
    request_id: str = ""
    vendors: bytes = b""
    baggage: bytes = b""

    @property
    def trace(self) -> "Trace":
        """Itself, so that it can be entered as it is."""
        return self

    @property
    def traceparent(self) -> str:
        """The header to send with a call that belongs to this request."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def tracestate(self) -> str:
        """What other tracing systems along the way know, to be sent on; empty if nothing valid.

        Read only where it is sent on, since most requests never do.
        """
        return tracestate_of(self.vendors)

    @property
    def baggage_out(self) -> str:
        """The baggage to send on: what arrived, or nothing if it isn't plain and short enough."""
        baggage = self.baggage
        if not baggage or len(baggage) > _BAGGAGE_BYTES_MAX or not baggage.isascii():
            return ""
        text = baggage.decode()
        return text if text.isprintable() else ""


class Traced(Protocol):
    """What has a trace, and need not have made it before somebody asks."""

    @property
    def trace(self) -> Trace | None:
        """The trace, the same one at each call; None where nobody has begun one."""
        ...


_current: ContextVar[Traced | None] = ContextVar("mainstay_trace", default=None)
enter_trace = _current.set
leave_trace = _current.reset

entered_trace = _current.get
"""Returns what was entered last, whatever the scopes lead to."""


def current_traced() -> Traced | None:
    """Return what has the trace of what runs now, which may know more than that, or None.

    That is what was entered last; where nothing was, the scope leads to it: an ASGI request is a
    scope, and pays for one context variable.
    """
    traced = _current.get()
    if traced is not None:
        return traced
    scope = CURRENT.get()
    while scope is not None and not scope.traced:
        scope = scope.outer
    return cast("Traced | None", scope)


def current_trace() -> Trace | None:
    """Return the trace of the request being answered here, or None outside of one."""
    traced = current_traced()
    return None if traced is None else traced.trace


def parse_traceparent(header: bytes) -> tuple[str, str, int] | None:
    """Return (trace id, caller's span id, flags) of a ``traceparent``, or None if it is not valid.

    Upper-case digits, version ``ff``, ids of zeros and version 00 with anything behind it are not
    valid. Flags that this version doesn't know are dropped, as the standard asks.
    """
    if header.translate(_DIGITS) == _FORM:
        # Nearly all, for less than an expression costs.
        version, trace_id, parent_id, flags = header.decode().split("-")
        if version == "00" and trace_id != _NO_TRACE and parent_id != _NO_SPAN:
            return trace_id, parent_id, _FLAGS[flags]
    if len(header) > _HEADER_BYTES_MAX:
        return None
    # Blanks around a value are no part of it, but some servers leave those at its end.
    text = header.strip(b" \t").decode("latin-1")
    match = _VERSION_00.fullmatch(text) or _LATER_VERSION.fullmatch(text)
    if match is None:
        return None
    trace_id, parent_id, flags = match.groups()
    return trace_id, parent_id, _FLAGS[flags]


def tracestate_of(header: bytes) -> str:
    """Return a ``tracestate`` to send on, or an empty text where the header is not valid.

    Spaces around members and empty members go; of members with the same key, the first stays, which
    is the newest. More than 32 members, or a member that is none, make the whole of it invalid.
    """
    if not header or len(header) > _TRACESTATE_BYTES_MAX or not header.isascii():
        return ""
    members = [one.strip(" \t") for one in header.decode().split(",")]
    members = [one for one in members if one]
    if len(members) > _MEMBERS_MAX or not all(map(_MEMBER.fullmatch, members)):
        return ""
    newest: dict[str, str] = {}
    for member in members:
        newest.setdefault(member.partition("=")[0], member)
    return ",".join(newest.values())


def new_span_id(rng: Random) -> str:
    """Return 16 hex digits that are not all zero.

    Args:
        rng: Where they come from. Not for secrets: ids are public.
    """
    # Half of what formatting a number costs, and a request has one.
    return (rng.getrandbits(64) or 1).to_bytes(8).hex()


def sample_below(rate: float) -> int:
    """Return the bound below which the random part of a trace id is sampled.

    The rule of OpenTelemetry's ``TraceIdRatioBased``, so that services that decide for themselves
    decide alike about one trace: the lower 64 bits against the rate's share of 2 ** 64.

    Args:
        rate: 0 to 1.
    """
    return round(rate * _DRAWN)


def arrive(
    rng: Random,
    traceparent: bytes | None = None,
    tracestate: bytes | None = None,
    baggage: bytes | None = None,
    *,
    span_id: str | None = None,
    request_id: str | None = None,
    below: int = SAMPLE_ALL,
) -> Trace:
    """Return the trace of a request, from the values of its headers.

    Args:
        rng: Where new ids come from. Not for secrets: ids are public.
        traceparent: None where there is none; of several, joined, none is valid.
        tracestate: Of several, joined by commas; counts only with a valid ``traceparent``.
        baggage: Likewise joined.
        span_id: The id of this part of the trace; None makes one.
        request_id: Of this request; None: the span's.
        below: Which traces that begin here are sampled; see ``sample_below``. Of others, whoever
            began them has decided.
    """
    parsed = None if traceparent is None else parse_traceparent(traceparent)
    if parsed is None:
        number = rng.getrandbits(128) or 1
        trace_id = number.to_bytes(16).hex()
        flags = SAMPLED | RANDOM if number & (_DRAWN - 1) < below else RANDOM
        parent_id, vendors = None, b""
    else:
        trace_id, parent_id, flags = parsed
        vendors = tracestate or b""
    if span_id is None:
        span_id = new_span_id(rng)
    if request_id is None:
        request_id = span_id
    # The class's own __new__ would take three times as long.
    return _tuple(Trace, (trace_id, span_id, parent_id, flags, request_id, vendors, baggage or b""))


def request_id_of(value: bytes) -> str | None:
    """Return what a trusted peer calls a request, or None if it isn't 1 to 128 plain characters."""
    # Nearly all are UUIDs or the like, which C tells faster than an expression does.
    if len(value) <= _REQUEST_ID_BYTES_MAX and value.replace(b"-", b"").isalnum():
        return value.decode()
    return value.decode() if _REQUEST_ID.fullmatch(value) else None
