"""The ways of choosing, by the names that declarations and people use."""

from random import Random
from typing import Literal, assert_never, get_args

from mainstay.service.outbound.balance.least_requests import LeastRequests, TwoChoices
from mainstay.service.outbound.balance.picker import Picker
from mainstay.service.outbound.balance.rendezvous import Rendezvous
from mainstay.service.outbound.balance.response_time import LeastResponseTime
from mainstay.service.outbound.balance.rotation import RoundRobin, Weighted

Way = Literal[
    "round_robin",
    "weighted",
    "least_requests",
    "two_choices",
    "rendezvous",
    "least_response_time",
]


def picker_named(way: Way, rng: Random) -> Picker:
    """Return a new picker.

    Raises:
        ValueError: There is no such way; the sentence lists those that there are.
    """
    if way not in get_args(Way):
        raise ValueError(f"{way!r} is no way to balance: {', '.join(get_args(Way))} are")
    match way:
        case "round_robin":
            return RoundRobin(rng)
        case "weighted":
            return Weighted()
        case "least_requests":
            return LeastRequests(rng)
        case "two_choices":
            return TwoChoices(rng)
        case "rendezvous":
            return Rendezvous()
        case "least_response_time":
            return LeastResponseTime(rng)
        case _:
            assert_never(way)
