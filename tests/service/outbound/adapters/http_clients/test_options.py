from typing import Any

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.service.outbound.adapters.http_clients import Http


def test_times_are_read_as_people_write_them() -> None:
    http = Http(connect="500ms", read=2, write="1s", idle="10s")
    assert (http.connect, http.read, http.write, http.idle) == (0.5, 2.0, 1.0, 10.0)


def test_the_defaults_are_the_starter_packs() -> None:
    http = Http()
    assert (http.connect, http.read, http.write, http.idle) == (5.0, 30.0, 10.0, 30.0)


@pytest.mark.parametrize("status", [429, 500, 501, 503, 599])
def test_servers_faults_are_failures(status: int) -> None:
    assert Http().is_failure(status)
    assert not Http(excluded=(status,)).is_failure(status)


@pytest.mark.parametrize("status", [100, 200, 301, 400, 404, 428, 430, 499])
def test_answers_are_not(status: int) -> None:
    assert not Http().is_failure(status)


def test_all_faults_are_told_at_once_and_no_url() -> None:
    wrong: dict[str, Any] = {
        "base_url": "http://user:secret@" + "x" * 3000,
        "connect": "soon",
        "read": 0,
        "excluded": [500],
        "tls": True,
        "balancer": "least",
    }
    with pytest.raises(ConfigInvalid) as refused:
        Http(**wrong)
    assert len(refused.value.faults) == len(wrong)
    assert "secret" not in str(refused.value)
