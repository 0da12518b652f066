"""Kinds for quantities: durations, sizes, shares, rates, and ranges of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainstay.spec.kinds import units
from mainstay.spec.kinds.kinds import Mismatch, Raw

_QUANTITY_MAX = 120
"""Characters; the longest sensible one, a share of calls, takes thirty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with a unit, within bounds; ``what`` and ``example`` make the error sentence.

    Attributes:
        what: As ``a duration``.
        example: As ``800ms``.
        parse: Returns the value of a text, in the base unit: seconds, bytes, a share of 1.
        text: Returns the shortest text of a value.
        pattern: A regular expression of the texts, for the schema.
        minimum: In the base unit; None: ``parse`` alone says.
        maximum: As ``minimum``.
    """

    what: str
    example: str
    parse: Callable[[str], Any]
    text: Callable[[Any], str]
    pattern: str
    minimum: float | None = None
    maximum: float | None = None

    def read(self, raw: Raw) -> Any:
        """Read the text; a bare number has no unit and is refused."""
        if not isinstance(raw, str) or len(raw) > _QUANTITY_MAX:
            raise Mismatch(self.expected())
        try:
            value = self.parse(raw)
        except units.UnitError as error:
            raise Mismatch(self.expected()) from error
        if (self.minimum is not None and value < self.minimum) or (
            self.maximum is not None and value > self.maximum
        ):
            raise Mismatch(self.expected())
        return value

    def write(self, value: Any) -> Raw:
        """Write the shortest text of the value."""
        return self.text(value)

    def expected(self) -> str:
        """Name the quantity, an example and the bounds."""
        sentence = f"{self.what} such as {self.example}"
        if self.minimum is not None and self.maximum is not None:
            return f"{sentence}, {self.text(self.minimum)} to {self.text(self.maximum)}"
        if self.minimum is not None:
            return f"{sentence}, {self.text(self.minimum)} or more"
        if self.maximum is not None:
            return f"{sentence}, {self.text(self.maximum)} or less"
        return sentence

    def schema(self) -> dict[str, Any]:
        """Return a string schema with the pattern of the unit."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


_N = r"[0-9]{1,15}(\.[0-9]{1,9})?"
_DURATION = rf"({_N} ?(us|ms|s|m|h|d))+"


def duration(
    example: str = "800ms", *, minimum_s: float = 0.001, maximum_s: float = units.DURATION_S_MAX
) -> Quantity:
    """A duration; by default at least a millisecond, since none at all is never meant."""
    return Quantity(
        what="a duration",
        example=example,
        parse=units.duration_s,
        text=units.duration_text,
        pattern=rf"^{_DURATION}$",
        minimum=minimum_s,
        maximum=maximum_s,
    )


def size(example: str = "512MiB", *, minimum: int = 1, maximum: int = 2**44) -> Quantity:
    """A size in bytes."""
    return Quantity(
        what="a size",
        example=example,
        parse=units.size_bytes,
        text=units.size_text,
        pattern=rf"^{_N} ?([KMGT]i?)?B$",
        minimum=minimum,
        maximum=maximum,
    )


def percentage(example: str = "20%", *, minimum: float = 0.0, maximum: float = 1.0) -> Quantity:
    """A percentage, kept as a share in [0, 1]."""
    return Quantity(
        what="a percentage",
        example=example,
        parse=units.share,
        text=units.share_text,
        pattern=rf"^{_N} ?%$",
        minimum=minimum,
        maximum=maximum,
    )


def rate(example: str = "100/s") -> Quantity:
    """A rate, kept as a number per second; above zero."""
    return Quantity(
        what="a rate",
        example=example,
        parse=units.rate_per_s,
        text=units.rate_text,
        pattern=rf"^{_N} ?/ ?(s|min|m|h|d)$",
    )


def quota(example: str = "100/s") -> Quantity:
    """A whole number in a time, which is kept beside it."""
    return Quantity(
        what="a number in a time",
        example=example,
        parse=units.quota,
        text=units.quota_text,
        pattern=r"^[0-9]{1,7} ?/ ?(s|min|m|h|d)$",
    )


def duration_range(example: str = "50ms..1s") -> Quantity:
    """Two durations with dots between them."""
    return Quantity(
        what="a range of durations",
        example=example,
        parse=units.between,
        text=units.between_text,
        pattern=rf"^{_DURATION} *\.\. *{_DURATION}$",
    )


def share_of_calls(example: str = "50% of 20 in 30s") -> Quantity:
    """A share of a minimum of calls over a window."""
    return Quantity(
        what="a share of calls",
        example=example,
        parse=units.share_of_calls,
        text=units.share_of_calls_text,
        pattern=rf"^{_N} ?% +of +[0-9]{{1,9}} +in +([0-9]{{1,9}} +calls|{_DURATION})$",
    )
