"""What can go wrong in the shop, each with what the caller is told.

ShopError
├── NotInShop         there is no such product, category or order
├── ServiceAway       a service that is needed for this does not answer: try again soon
├── OrderRefused      the order can't be delivered as it is: change it
├── PaymentDeclined   the bank says no: pay in another way, with a new key
└── KeyReused         the key belongs to another order: use a new one
"""

from typing import ClassVar


class ShopError(Exception):
    """The root; the message is one sentence for the customer.

    Attributes:
        status: HTTP status of the answer.
        code: One word for programs.
        retry_after_s: Whole seconds after which another try makes sense, or None.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    retry_after_s: ClassVar[int | None] = None


class NotInShop(ShopError):
    """There is no such product, category or order."""

    status = 404
    code = "not_found"


class ServiceAway(ShopError):
    """A service that is needed does not answer, or not in time.

    Args:
        service: Its name, for the log.
        message: What the customer reads.
        kind: Of the problem that it answered with; empty where it did not.
    """

    status = 503
    code = "service_away"
    retry_after_s = 2

    def __init__(self, service: str, message: str, *, kind: str = "") -> None:
        self.service = service
        self.kind = kind
        super().__init__(message)


class OrderRefused(ShopError):
    """Something of the order is not there, or not as many."""

    status = 422
    code = "order_refused"


class PaymentDeclined(ShopError):
    """The bank declined. The same key will be declined again."""

    status = 402
    code = "payment_declined"


class KeyReused(ShopError):
    """An Idempotency-Key came with another order than the first time."""

    status = 422
    code = "key_reused"
