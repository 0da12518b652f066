"""What a request is told that needs its session and can't have it."""

from mainstay.service.inbound.problems.refusal import Refusal

STORE_AWAY = Refusal.of(
    "store-unavailable",
    "Your session can't be read or kept at the moment.",
    ((b"retry-after", b"1"),),
)
