"""What is decided by looking at a request's head, and what every answer wears."""

from mainstay.service.inbound.perimeter.body import BodyTooLarge, BoundedInput, BoundedReceive
from mainstay.service.inbound.perimeter.nonce import csp_nonce
from mainstay.service.inbound.perimeter.perimeter import Perimeter
from mainstay.service.inbound.perimeter.preflight import Preflight

__all__ = [
    "BodyTooLarge",
    "BoundedInput",
    "BoundedReceive",
    "Perimeter",
    "Preflight",
    "csp_nonce",
]
