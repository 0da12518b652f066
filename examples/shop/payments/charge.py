"""A charge: what is asked for, and what became of it. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Literal

AMOUNT_CENTS_MAX = 1_000_000
"""Ten thousand euros; an order above it is a mistake or somebody else's money."""

TEXT_MAX = 200

Status = Literal["succeeded", "declined"]


class ChargeInvalid(ValueError):
    """A request to charge that can't be understood; the message says what is wrong with it."""


class ReferenceCharged(Exception):
    """A reference came again with another charge. Sending it once more will not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """What is to be charged: ``amount_cents`` euro cents from ``method``, for ``reference``.

    The reference is what the caller is paid for, such as an order: it is charged once.
    """

    amount_cents: int
    method: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge that was decided, and stays so."""

    id: str
    status: Status
    amount_cents: int
    method: str
    reference: str


def read_request(content: bytes) -> ChargeRequest:
    """Return the request that the body of an HTTP request makes.

    Raises:
        ChargeInvalid: It is none.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        # RecursionError: a body of nothing but brackets.
        raise ChargeInvalid("The body is not JSON.") from error
    if not isinstance(body, dict):
        raise ChargeInvalid("The body is a JSON object.")
    amount = body.get("amount_cents")
    # True is an int in Python, and not an amount.
    if type(amount) is not int or not 1 <= amount <= AMOUNT_CENTS_MAX:
        raise ChargeInvalid(f"amount_cents is a whole number from 1 to {AMOUNT_CENTS_MAX}.")
    return ChargeRequest(
        amount_cents=amount, method=_text(body, "method"), reference=_text(body, "reference")
    )


def decide(request: ChargeRequest) -> Status:
    """Return what the bank says. This one has a single rule, so that both answers can be seen."""
    return "declined" if request.method == "card_without_funds" else "succeeded"


def _text(body: dict[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str) or not 1 <= len(text) <= TEXT_MAX:
        raise ChargeInvalid(f"{name} is a text of 1 to {TEXT_MAX} characters.")
    return text
