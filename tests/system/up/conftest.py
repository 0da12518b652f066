"""Fixtures of the tests that run whole systems."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.up.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.end()


@pytest.fixture
def wrapped(site: Site) -> Site:
    """Three replicas of a wrapped ASGI app with quick health checks, not yet started."""
    site.declare(
        "service: web\n"
        "app: wrapped:app\n"
        "run: {replicas: 3, hang_timeout: 1s}\n"
        "edge: {port: @PORT@, health: {interval: 200ms, timeout: 300ms, fall: 2, rise: 1}}\n"
    )
    return site
