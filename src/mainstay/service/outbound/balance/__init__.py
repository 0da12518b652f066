"""Client-side balancing: which of several endpoints the next call goes to."""

from mainstay.service.outbound.balance.answer import Pace
from mainstay.service.outbound.balance.balancer import Balancer, EndpointState, NoEndpoint
from mainstay.service.outbound.balance.by_name import Way
from mainstay.service.outbound.balance.declared import declared_endpoints
from mainstay.service.outbound.balance.dns import DnsEndpoints
from mainstay.service.outbound.balance.ejection import Ejection
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.events import (
    EndpointEjected,
    EndpointReturned,
    EndpointsChanged,
    NameUnresolved,
)
from mainstay.service.outbound.balance.follow import FollowThread, Source, follow
from mainstay.service.outbound.balance.lease import Lease
from mainstay.service.outbound.balance.on_demand import OnDemandBalancer
from mainstay.service.outbound.balance.picker import Learner, Picker
from mainstay.service.outbound.balance.response_time import LeastResponseTime

__all__ = [
    "Balancer",
    "DnsEndpoints",
    "Ejection",
    "Endpoint",
    "EndpointEjected",
    "EndpointReturned",
    "EndpointState",
    "EndpointsChanged",
    "FollowThread",
    "Learner",
    "Lease",
    "LeastResponseTime",
    "NameUnresolved",
    "NoEndpoint",
    "OnDemandBalancer",
    "Pace",
    "Picker",
    "Source",
    "Way",
    "declared_endpoints",
    "follow",
]
