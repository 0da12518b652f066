"""Payments as the storefront sees them."""

from collections.abc import Mapping

import httpx

from shop.storefront.errors import OrderRefused, PaymentDeclined, ServiceAway
from shop.storefront.upstream import Upstream, kind_of

Charge = Mapping[str, str | int]


class Payments:
    """Charges, each reference once, however often it is asked for."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def charge(self, *, amount_cents: int, method: str, reference: str) -> str:
        """Charge, and return the charge's id.

        Raises:
            PaymentDeclined: The bank says no.
            OrderRefused: Payments does not take this charge at all.
            ServiceAway: Not known whether it was charged; the same reference finds out.
        """
        body: Charge = {"amount_cents": amount_cents, "method": method, "reference": reference}
        try:
            answer = await self._send(body)
        except ServiceAway as error:
            raise ServiceAway(
                error.service,
                "We can't take payments right now. Nothing is lost: send the same order again in "
                "a moment, and it is paid once.",
            ) from error
        if answer.status_code not in (200, 201):
            raise OrderRefused("The payment was refused. Please order anew.")
        charge = answer.json()
        if charge["status"] != "succeeded":
            raise PaymentDeclined("The payment was declined. Please pay in another way.")
        return str(charge["id"])

    async def _send(self, body: Charge) -> httpx.Response:
        """Send a charge with a key, so that it may be sent twice while an answer is awaited."""
        key = {"Idempotency-Key": str(body["reference"])}
        try:
            answer = await self._upstream.post("/charges", body, key)
        except ServiceAway as error:
            if error.kind != "store-unavailable":
                raise
        else:
            if kind_of(answer) != "idempotency-conflict":
                return answer
        # The key can't be looked up, or another request with it is being worked on. The ledger
        # charges a reference once all the same, and says what became of it.
        return await self._upstream.post("/charges", body, {})
