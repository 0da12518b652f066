"""Payments as the storefront sees them."""

from shop.storefront.errors import OrderRefused, PaymentDeclined, ServiceAway
from shop.storefront.upstream import Upstream


class Payments:
    """Charges, each at most once for its key, however often it is asked for."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def charge(self, *, amount_cents: int, method: str, reference: str, key: str) -> str:
        """Charge, and return the charge's id.

        Raises:
            PaymentDeclined: The bank says no.
            OrderRefused: Payments does not take this charge at all.
            ServiceAway: Not known whether it was charged; the same key finds out.
        """
        try:
            answer = await self._upstream.post(
                "/charges",
                {"amount_cents": amount_cents, "method": method, "reference": reference},
                {"Idempotency-Key": key},
            )
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
