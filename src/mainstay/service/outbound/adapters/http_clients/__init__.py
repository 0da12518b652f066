"""HTTP clients that hold a policy: httpx (both kinds), requests, aiohttp.

Make them from a policy: ``policy.http_client()`` and its kin. A library is imported when asked for.
"""

from mainstay.service.outbound.adapters.errors import CallUnsendable, ConnectFailed, ConnectionLost
from mainstay.service.outbound.adapters.headers import DEADLINE_HEADER
from mainstay.service.outbound.adapters.http_clients.call import BadAnswer
from mainstay.service.outbound.adapters.http_clients.events import Reconnected
from mainstay.service.outbound.adapters.http_clients.options import Http

__all__ = [
    "DEADLINE_HEADER",
    "BadAnswer",
    "CallUnsendable",
    "ConnectFailed",
    "ConnectionLost",
    "Http",
    "Reconnected",
]
