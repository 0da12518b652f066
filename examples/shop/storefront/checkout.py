"""Placing an order so that it may be sent again at any moment, and is paid once.

The order is kept before it is charged, with its prices; the charge has the order's id as its
reference. Whatever dies in between, the same request finds the order and goes on from there.
"""

from dataclasses import replace

from starlette.concurrency import run_in_threadpool

from mainstay import get_logger
from mainstay.telemetry.metrics import Counter
from shop.storefront.catalog import Catalog
from shop.storefront.errors import PaymentDeclined, ServiceAway
from shop.storefront.order import Order, OrderRequest, State, priced
from shop.storefront.orderbook import OrderBook
from shop.storefront.payments import Payments

log = get_logger(__name__)


class Checkout:
    """Validate against the catalog, keep, charge, confirm.

    Args:
        catalog: Knows the prices.
        payments: Charge.
        orders: Keep.
        settled: Counts orders by their state, each once.
    """

    def __init__(
        self, catalog: Catalog, payments: Payments, orders: OrderBook, settled: Counter
    ) -> None:
        self._catalog = catalog
        self._payments = payments
        self._orders = orders
        self._settled = settled

    async def place(self, request: OrderRequest, *, key: str, order_id: str) -> Order:
        """Return the confirmed order of ``key``, which is placed if need be.

        Args:
            request: What was ordered.
            key: The customer's Idempotency-Key, or a fresh one.
            order_id: The id of the order, should it be a new one.

        Raises:
            ShopError: The order is refused, declined, or a service is away; see errors.py.
            sqlite3.OperationalError: The order book can't be written now.
        """
        fingerprint = request.fingerprint()
        order = await run_in_threadpool(self._orders.by_key, key, fingerprint)
        if order is None:
            products = await self._catalog.products([item.product_id for item in request.items])
            order = await run_in_threadpool(
                self._orders.place,
                priced(request, products, order_id=order_id),
                key=key,
                fingerprint=fingerprint,
            )
        return await self._pay(order)

    async def _pay(self, order: Order) -> Order:
        if order.state == "confirmed":
            return order
        try:
            charge_id = await self._payments.charge(
                amount_cents=order.total_cents,
                method=order.payment,
                reference=order.id,
            )
        except PaymentDeclined:
            await self._settle(order, "declined", None)
            raise
        except ServiceAway:
            log.warning("order stays pending", order_id=order.id, total_cents=order.total_cents)
            raise
        await self._settle(order, "confirmed", charge_id)
        return replace(order, state="confirmed")

    async def _settle(self, order: Order, state: State, charge_id: str | None) -> None:
        """Write down what became of an order. It is told and counted once, however often asked."""
        if await run_in_threadpool(self._orders.settle, order.id, state, charge_id):
            self._settled.labels(state).inc()
            log.info(
                "order settled",
                state=state,
                order_id=order.id,
                total_cents=order.total_cents,
                lines=len(order.lines),
            )

    async def find(self, order_id: str) -> Order | None:
        """Return a kept order, or None."""
        return await run_in_threadpool(self._orders.find, order_id)
