"""What holds for requests that arrive, and where each value came from. Pure."""

from collections.abc import Mapping

from mainstay.spec.declaration import Declaration
from mainstay.spec.explained import Line, values_of
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
    lines = [
        Line(
            key=key,
            value=_OFF if value is None else value,
            source=str(_source(sources, f"inbound.{key}")),
        )
        for key, value in values_of(declaration.inbound, "")
    ]
    return tuple(sorted(lines, key=lambda line: _rank(line.key)))


def _source(sources: Mapping[str, Source], path: str) -> Source:
    """Return where a value came from: of a mapping, the place of its first name."""
    # Where a list may be written as its only item, that has no number.
    for known in (path, path.replace("[0]", "", 1)):
        if known in sources:
            return sources[known]
    below = (source for known, source in sources.items() if known.startswith(f"{path}."))
    return next(below, Source())


def _rank(key: str) -> int:
    part = key.partition(".")[0].partition("[")[0]
    return _ORDER.index(part)
