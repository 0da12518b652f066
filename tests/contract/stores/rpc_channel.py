"""A gRPC channel of either kind, behind one face: each method waits for its answer."""

import asyncio
from contextvars import copy_context
from typing import Any

from mainstay import Policy
from mainstay.service.outbound.adapters.grpc_clients import async_grpc_channel, grpc_channel

ECHO, COUNT, ABORT = "/shop.Test/Echo", "/shop.Test/Count", "/shop.Test/Abort"


class Channel:
    """One channel of either kind, as tests call it."""

    def __init__(self, kind: str, policy: Policy, target: str) -> None:
        self._runner = asyncio.Runner()
        self._kind = kind
        if kind == "sync":
            self._channel = grpc_channel(policy, target, repeatable=(ECHO, COUNT, ABORT))
        else:
            self._channel = self._runner.run(self._made(policy, target))

    async def _made(self, policy: Policy, target: str) -> Any:
        return async_grpc_channel(policy, target, repeatable=(ECHO, COUNT, ABORT))

    def call(
        self, message: Any, method: str = ECHO, metadata: Any = None, **serializers: Any
    ) -> Any:
        stub = self._channel.unary_unary(method, **serializers)
        if self._kind == "sync":
            return stub(message, metadata=metadata)

        async def one() -> Any:
            return await stub(message, metadata=metadata)

        return self._runner.run(one(), context=copy_context())

    def stream(self, message: bytes) -> list[bytes]:
        answers = self._channel.unary_stream("/shop.Test/Stream")(message)
        if self._kind == "sync":
            return list(answers)

        async def all_of_it() -> list[bytes]:
            return [answer async for answer in answers]

        return self._runner.run(all_of_it(), context=copy_context())

    def close(self) -> None:
        closing = self._channel.close()
        if self._kind != "sync":

            async def close() -> None:
                await closing

            self._runner.run(close())
        self._runner.close()
