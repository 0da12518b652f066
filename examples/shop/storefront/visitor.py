"""What is remembered of a visitor: the basket and the last order, in the session.

The session is in the store, which may be away for a moment. Pages do without it then.
"""

from collections.abc import MutableMapping
from typing import Any

from fastapi import Request

from mainstay.core.errors import StoreUnavailable
from shop.storefront.cart import Cart

_BASKET = "basket"
_LAST = "last order"


class Visitor:
    """A visitor whose session was read.

    Args:
        session: As it was read. Any: what JSON can hold.
    """

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    @property
    def cart(self) -> Cart:
        """What is in the basket."""
        lines = self._session.get(_BASKET, ())
        return Cart(lines=tuple((product_id, quantity) for product_id, quantity in lines))

    @cart.setter
    def cart(self, cart: Cart) -> None:
        self._session[_BASKET] = cart.lines

    def order_of(self, key: str) -> str | None:
        """Return the id of the last order, if it was placed with the form of ``key``."""
        last = self._session.get(_LAST)
        return last[1] if last is not None and last[0] == key else None

    def ordered(self, key: str, order_id: str) -> None:
        """Remember an order, and empty the basket."""
        self.cart = Cart()
        self._session[_LAST] = (key, order_id)


async def visitor_of(request: Request) -> Visitor | None:
    """Return who asks, or None while nobody can know, since the store is away."""
    try:
        return Visitor(await request.session)  # type: ignore[misc]  # Ours is awaited; see the guide.
    except StoreUnavailable:
        return None
