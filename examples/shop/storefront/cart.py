"""The basket: a short text in a cookie. Pure.

``12x2.45x1`` is two of product 12 and one of product 45. It carries no price, so that nobody gains
by changing it; what does not look like a basket is an empty one.
"""

import re
from dataclasses import dataclass
from typing import Self

LINES_MAX = 20
QUANTITY_MAX = 9

_LINE = re.compile(r"([1-9][0-9]{0,8})x([1-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """Pairs of product id and quantity (1 to 9), at most 20, each product once."""

    lines: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the basket of a cookie; whatever else the text is, an empty one."""
        parts = text.split(".", LINES_MAX) if text else []
        matches = [_LINE.fullmatch(part) for part in parts]
        lines = {int(match[1]): int(match[2]) for match in matches if match is not None}
        if len(parts) > LINES_MAX or len(lines) != len(parts):
            return cls()
        return cls(lines=tuple(lines.items()))

    def text(self) -> str:
        """Return what ``read`` reads."""
        return ".".join(f"{product_id}x{quantity}" for product_id, quantity in self.lines)

    @property
    def count(self) -> int:
        """How many things are in it."""
        return sum(quantity for _, quantity in self.lines)

    def put(self, product_id: int, quantity: int) -> Self:
        """Return the basket with ``quantity`` of a product, 0 for none; the bounds hold."""
        lines = dict(self.lines)
        lines[product_id] = min(quantity, QUANTITY_MAX)
        kept = [(one, amount) for one, amount in lines.items() if amount > 0]
        return type(self)(lines=tuple(kept[:LINES_MAX]))

    def add(self, product_id: int) -> Self:
        """Return the basket with one more of a product."""
        return self.put(product_id, dict(self.lines).get(product_id, 0) + 1)
