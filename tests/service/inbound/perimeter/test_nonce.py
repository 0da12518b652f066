"""The nonce of a request: one for each, made when asked for, and never too late unnoticed."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from mainstay.service.inbound.perimeter.nonce import NoNonce, begin, csp_nonce, taken


async def answer(*, asks: int) -> tuple[list[str], str]:
    scope: dict[str, Any] = {}
    begin(scope)
    nonces = []
    for _ in range(asks):
        nonces.append(csp_nonce())
        await asyncio.sleep(0)
    return nonces, taken(scope)


async def test_each_request_has_one_nonce_of_its_own() -> None:
    answers = await asyncio.gather(*(answer(asks=3) for _ in range(20)))
    assert all({header} == set(nonces) for nonces, header in answers)
    assert len({header for _, header in answers}) == 20


async def test_none_is_made_for_who_does_not_ask() -> None:
    assert await answer(asks=0) == ([], "")


def test_it_holds_128_bits() -> None:
    copy_context().run(begin, {})

    def ask() -> str:
        begin({})
        return csp_nonce()

    assert len(base64.urlsafe_b64decode(copy_context().run(ask) + "==")) == 16


def test_asking_too_late_is_told() -> None:
    def late() -> None:
        scope: dict[str, Any] = {}
        begin(scope)
        assert taken(scope) == ""
        csp_nonce()

    with pytest.raises(NoNonce, match="before the answer begins"):
        copy_context().run(late)


def test_what_was_asked_in_time_may_be_asked_again() -> None:
    def again() -> None:
        scope: dict[str, Any] = {}
        begin(scope)
        first = csp_nonce()
        assert taken(scope) == first
        assert csp_nonce() == first

    copy_context().run(again)


def test_outside_of_a_request_there_is_none() -> None:
    def outside() -> None:
        begin(None)
        csp_nonce()

    with pytest.raises(NoNonce, match="no request"):
        copy_context().run(outside)


def test_threads_of_one_request_get_the_same() -> None:
    scope: dict[str, Any] = {}

    def ask(_: int) -> str:
        begin(scope)
        return csp_nonce()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(64)))) == 1
