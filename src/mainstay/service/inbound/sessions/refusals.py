"""What a request is told that needs its session and can't have it."""

from mainstay.service.inbound.refusal import Refusal

STORE_AWAY = Refusal(
    status=503,
    kind="store-unavailable",
    title="The service can't reach what it needs",
    detail="Your session can't be read or kept at the moment.",
    headers=((b"retry-after", b"1"),),
)
