"""Which paths are Mainstay's own answers about health, and not the app's."""

import pytest

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.events import Listeners
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.probes import Probes
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.spec.health import Health

GROUPS = (("orders", ("disk",)),)


@pytest.mark.parametrize("root", ["/health", "/", "/a/b/"])
def test_a_wrapped_app_answers_all_that_is_said_to_be_answered(root: str) -> None:
    """And says so of all that it answers: what the edge asks there must be known there."""
    health = Health(path=root, groups=GROUPS)
    drain = Drain(delay_s=0, bound_s=20, clock=SYSTEM_CLOCK, events=Listeners())
    board = Board(clock=SYSTEM_CLOCK, cache_s=1.0)
    probes = Probes(path=root, service="s", version="1", board=board, drain=drain, health=health)
    below = ("", "/live", "/ready", "/startup", "/group/orders", "/group/other", "/liver", "/x")
    paths = [root, "/", *(root.rstrip("/") + one for one in below)]
    for path in paths:
        assert health.answers(path) == (path in probes.routes), path
    assert set(probes.routes) <= set(paths)


def test_a_query_changes_nothing() -> None:
    assert Health().answers("/health/ready?deep=1")
    assert not Health().answers("/up?/health/ready")
