"""What a request is told that carries a key and doesn't reach the app."""

from mainstay.service.inbound.problems.refusal import Refusal

_SOON = ((b"retry-after", b"1"),)
"""Seconds. What is in flight, or away, is mostly so for less."""

KEY_MISSING = Refusal.of(
    "idempotency-key-missing",
    "This request needs an Idempotency-Key header: a text that no other request of yours has, such "
    "as a UUID.",
)
KEY_INVALID = Refusal.of(
    "header-invalid",
    "The Idempotency-Key header must be one text in quotes of 1 to 255 visible ASCII characters, "
    'such as "8e03978e-40d5-43dd-bc93-6894a57f9324".',
)
IN_FLIGHT = Refusal.of(
    "idempotency-conflict",
    "An earlier request with this Idempotency-Key has not been answered yet.",
    _SOON,
)
MISMATCH = Refusal.of(
    "idempotency-mismatch",
    "An earlier request with this Idempotency-Key had another method, path, query or body.",
)
UNKNOWN = Refusal(
    status=409,
    kind="idempotency-unknown",
    title="Nobody knows whether the work was done",
    detail="An earlier request with this Idempotency-Key ended without an answer. Find out whether "
    "its work was done before you ask for it with a new key.",
)
ANSWER_NOT_KEPT = Refusal(
    status=409,
    kind="idempotency-answer-not-kept",
    title="The work was done, its answer was not kept",
    detail="An earlier request with this Idempotency-Key did its work. Its answer was too long to "
    "be kept, or never finished.",
)
ANSWER_WITHHELD = Refusal(
    status=409,
    kind="idempotency-answer-not-kept",
    title="The work was done, its answer was not kept",
    detail="An earlier request with this Idempotency-Key did its work. Without credentials its "
    "answer is only given to who has a key that can't be guessed: 20 characters and more, such as "
    "a UUID.",
)
COOKIES_DIFFER = Refusal(
    status=409,
    kind="idempotency-answer-not-kept",
    title="The work was done, its answer was not kept",
    detail="An earlier request with this Idempotency-Key did its work. It came with other cookies, "
    "so that its answer may be somebody else's.",
)
BODY_TOO_LARGE = Refusal.of(
    "body-too-large",
    "A request with an Idempotency-Key may not have a body of this size.",
    ((b"connection", b"close"),),
)
STORE_AWAY = Refusal.of(
    "store-unavailable",
    "Whether this Idempotency-Key was used before can't be found out now. Nothing was done.",
    _SOON,
)
TOO_MANY_HELD = Refusal.of(
    "overloaded",
    "Too many requests with an Idempotency-Key are being worked on. Nothing was done.",
    _SOON,
)
