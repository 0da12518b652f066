"""An order: what is asked for, what it costs, and where it stands. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shop.money import euros
from shop.products import Product
from shop.storefront.cart import LINES_MAX, QUANTITY_MAX
from shop.storefront.errors import OrderRefused

TOTAL_CENTS_MAX = 1_000_000
"""What one order may cost: payments refuses more than ten thousand euros."""

State = Literal["pending", "confirmed", "declined"]


class Item(BaseModel):
    """So many of one product."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product_id: int = Field(ge=1, le=999_999_999)
    quantity: int = Field(ge=1, le=QUANTITY_MAX)


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if len({item.product_id for item in items}) != len(items):
        raise ValueError("a product is listed twice; say how many with `quantity`")
    return items


class OrderRequest(BaseModel):
    """What a customer sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    items: Annotated[tuple[Item, ...], AfterValidator(_each_once)] = Field(
        min_length=1, max_length=LINES_MAX
    )
    name: str = Field(min_length=1, max_length=80)
    email: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    payment: Literal["card", "card_without_funds"] = "card"

    def fingerprint(self) -> str:
        """Return what tells this order from another one under the same key."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an order, with the name and the price of the moment it was placed."""

    product_id: int
    name: str
    quantity: int
    price_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it is kept.

    Attributes:
        id: Cannot be guessed: whoever has it may see the order.
        state: pending until the payment is decided; a repeated request takes it up from there.
    """

    id: str
    state: State
    name: str
    email: str
    payment: str
    total_cents: int
    lines: tuple[Line, ...]


def priced(request: OrderRequest, products: Mapping[int, Product], *, order_id: str) -> Order:
    """Return the order at the catalog's prices.

    Raises:
        OrderRefused: A product does not exist, there are not enough of it, or the whole costs
            too much.
    """
    for item in request.items:
        product = products.get(item.product_id)
        if product is None:
            raise OrderRefused(f"We don't have a product {item.product_id}.")
        if product.stock < item.quantity:
            raise OrderRefused(f"There are only {product.stock} of {product.name} left.")
    lines = tuple(
        Line(
            product_id=item.product_id,
            name=products[item.product_id].name,
            quantity=item.quantity,
            price_cents=products[item.product_id].price_cents,
        )
        for item in request.items
    )
    total_cents = sum(line.price_cents * line.quantity for line in lines)
    if total_cents > TOTAL_CENTS_MAX:
        raise OrderRefused(f"One order is at most {euros(TOTAL_CENTS_MAX)}.")
    return Order(
        id=order_id,
        state="pending",
        name=request.name,
        email=request.email,
        payment=request.payment,
        total_cents=total_cents,
        lines=lines,
    )
