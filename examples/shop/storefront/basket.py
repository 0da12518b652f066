"""The basket and the order, for people. No script: forms and redirects."""

import uuid
from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from shop.storefront.cart import QUANTITY_MAX, Cart
from shop.storefront.errors import NotInShop, ServiceAway, ShopError
from shop.storefront.form import form_of
from shop.storefront.order import OrderRequest
from shop.storefront.render import render
from shop.storefront.visitor import Visitor, visitor_of
from shop.storefront.wiring import Wired, Wiring

ADVICE = {"name": "Please write your name.", "email": "Please write an e-mail address."}

router = APIRouter(include_in_schema=False)


@router.get("/cart")
async def show_cart(request: Request, shop: Wired) -> Response:
    """Show the basket and the order form."""
    visitor = await visitor_of(request)
    if visitor is None:
        # As a page that is right and says so: the wrapper has an answer of its own for errors.
        return await render(request, "away.html", categories=await shop.categories())
    return await _cart_page(request, shop, visitor, key=str(uuid.uuid4()))


@router.post("/cart")
async def change_cart(request: Request) -> Response:
    """Put a product into the basket (``quantity`` absent: one more), then show it."""
    form = await form_of(request)
    product_id, quantity = form.get("product_id", ""), form.get("quantity")
    visitor = await visitor_of(request)
    if visitor is not None and _is_count(product_id, 999_999_999):
        if quantity is None:
            visitor.cart = visitor.cart.add(int(product_id))
        elif _is_count(quantity, QUANTITY_MAX):
            visitor.cart = visitor.cart.put(int(product_id), int(quantity))
    return RedirectResponse("/cart", 303)


@router.post("/orders")
async def place_order(request: Request, shop: Wired) -> Response:
    """Order what is in the basket, then show the confirmation."""
    form = await form_of(request)
    visitor = await visitor_of(request)
    if visitor is None:
        return RedirectResponse("/cart", 303)
    # The key was made with the form: sending the same form twice orders once.
    key = form.get("key", "")[:200] or str(uuid.uuid4())
    if (order_id := visitor.order_of(key)) is not None:
        return RedirectResponse(f"/orders/{order_id}", 303)
    try:
        order = await shop.checkout.place(
            _order_of(form, visitor.cart), key=key, order_id=str(uuid.uuid4())
        )
    except ValidationError as error:
        wrong = {str(fault["loc"][0]) for fault in error.errors()}
        messages = [ADVICE.get(name, "The basket is empty.") for name in sorted(wrong)]
        return await _cart_page(
            request, shop, visitor, key=key, form=form, messages=messages, status=422
        )
    except ShopError as error:
        # Only where nobody knows how it ended must the next try be the same order.
        next_key = key if isinstance(error, ServiceAway) else str(uuid.uuid4())
        return await _cart_page(
            request,
            shop,
            visitor,
            key=next_key,
            form=form,
            messages=[str(error)],
            status=error.status,
        )
    visitor.ordered(key, order.id)
    return RedirectResponse(f"/orders/{order.id}", 303)


@router.get("/orders/{order_id}")
async def show_order(request: Request, shop: Wired, order_id: str) -> HTMLResponse:
    """Show one order to whoever knows its id."""
    order = await shop.checkout.find(order_id)
    if order is None:
        raise NotInShop("There is no such order.")
    return await render(request, "order.html", categories=await shop.categories(), order=order)


async def _cart_page(
    request: Request,
    shop: Wiring,
    visitor: Visitor,
    *,
    key: str,
    form: Mapping[str, str] | None = None,
    messages: list[str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    cart = visitor.cart
    products = await shop.catalog.products([product_id for product_id, _ in cart.lines])
    lines = [
        (products[product_id], quantity)
        for product_id, quantity in cart.lines
        if product_id in products
    ]
    return await render(
        request,
        "cart.html",
        status=status,
        categories=await shop.categories(),
        lines=lines,
        total_cents=sum(product.price_cents * quantity for product, quantity in lines),
        quantity_max=QUANTITY_MAX,
        key=key,
        form=form or {},
        messages=messages or [],
    )


def _order_of(form: Mapping[str, str], cart: Cart) -> OrderRequest:
    """Return the order of a form and a basket; raises pydantic's ValidationError."""
    return OrderRequest.model_validate(
        {
            "items": [
                {"product_id": product_id, "quantity": quantity}
                for product_id, quantity in cart.lines
            ],
            "name": form.get("name", ""),
            "email": form.get("email", ""),
            "payment": form.get("payment", "card"),
        }
    )


def _is_count(text: str, maximum: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= maximum
