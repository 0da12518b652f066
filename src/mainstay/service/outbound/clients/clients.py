"""The clients that a policy makes: those of other libraries, with the policy inside."""

from mainstay.service.outbound.clients.channels import Channels
from mainstay.service.outbound.clients.engines import Engines
from mainstay.service.outbound.clients.http_clients import HttpClients
from mainstay.service.outbound.clients.redis_clients import RedisClients


class Clients(HttpClients, RedisClients, Engines, Channels):
    """The part of ``Policy`` that makes clients.

    Each method imports its library when it is called, and says how to get it where it is missing.
    """

    __slots__ = ()
