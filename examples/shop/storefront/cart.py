"""The basket. Pure; where it is kept is in ``visitor.py``."""

from dataclasses import dataclass
from typing import Self

LINES_MAX = 20
QUANTITY_MAX = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """Pairs of product id and quantity (1 to 9), at most 20, each product once."""

    lines: tuple[tuple[int, int], ...] = ()

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
