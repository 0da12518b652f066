"""Fixtures of the tests that run whole systems."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.system.up.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.run("down")
    for process in site.processes():
        # Only after a failed test; nothing may outlive it.
        with contextlib.suppress(psutil.Error):
            process.kill()


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
