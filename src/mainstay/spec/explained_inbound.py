"""What holds for requests that arrive, and where each value came from. Pure."""

from collections.abc import Iterator, Mapping

from mainstay.spec.declaration import Declaration
from mainstay.spec.explained import Line, values_of
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import allowed_features
from mainstay.spec.sources import Source

_OFF = "off"

# The order in which a request meets the parts, outer to inner; then its answer, and the way out.
_ORDER = (
    "health", "trust", "hosts", "body_max", "cors", "rate_limit", "deadline", "shed",
    "idempotency", "session", "errors", "headers", "access_log", "drain", "drain_delay",
)  # fmt: skip


def explained_inbound(declaration: Declaration, sources: Mapping[str, Source]) -> tuple[Line, ...]:
    """Return what holds for requests that arrive, in the order in which they meet the parts.

    A part that is off is one line.

    Args:
        declaration: Of the service.
        sources: Of that service; see ``Loaded.sources``.
    """
    derived = dict(_derived(declaration.inbound))
    lines = []
    for key, value in values_of(declaration.inbound, ""):
        source = str(_source(sources, f"inbound.{key}"))
        text, made = derived.get(key, (_OFF if value is None else value, ""))
        lines.append(Line(key=key, value=text, source=source + made))
    return tuple(sorted(lines, key=lambda line: _rank(line.key)))


def _derived(inbound: Inbound) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what holds where that is more than was declared, and what to add to its source."""
    for index, limit in enumerate(inbound.rate_limit or ()):
        if limit.burst is None:
            made = ": as many as rate names"
            yield f"rate_limit[{index}].burst", (str(limit.burst_calls), made)
    if inbound.session is not None and not inbound.session.keys:
        yield "session.keys", ("made at the first start", ": in .mainstay/run")
    headers = inbound.headers
    if headers is not None and headers.csp == ():
        yield "headers.csp", ("of the preset", "")
    if headers is not None and headers.permissions is not None:
        allowed = allowed_features(headers.permissions)
        features = (f"{name}: [{', '.join(who)}]" for name, who in allowed)
        yield "headers.permissions", ("{" + ", ".join(features) + "}", "")


def _source(sources: Mapping[str, Source], path: str) -> Source:
    """Return where a value came from: of a mapping, the place of its first name."""
    # Where a list may be written as its only item, that has no number.
    paths = (path, path.replace("[0]", "", 1))
    for known in paths:
        if known in sources:
            return sources[known]
    above = tuple(f"{one}." for one in paths)
    return next((source for known, source in sources.items() if known.startswith(above)), Source())


def _rank(key: str) -> int:
    part = key.partition(".")[0].partition("[")[0]
    return _ORDER.index(part)
