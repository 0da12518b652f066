"""What stands in for an answer of gRPC: the last good one, or what the user says."""

from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.
import pytest
from google.protobuf.wrappers_pb2 import StringValue  # type: ignore[import-untyped]  # It ships no types.
from tests.contract.stores.rpc_channel import ABORT, COUNT, ECHO, Channel
from tests.contract.stores.servers import Grpc

from mainstay import Breaker, Bulkhead, Fallback, Policy, degraded
from mainstay.core.errors import CircuitOpen, PolicyMisused
from mainstay.service.outbound.adapters.grpc_clients import async_grpc_channel, grpc_channel
from mainstay.service.outbound.adapters.grpc_clients.answers import UnaryRequest
from mainstay.service.outbound.events import AnswerDegraded
from mainstay.testing import Recorder

OTHER = "/shop.Other/Echo"
PROTOBUF = {
    "request_serializer": StringValue.SerializeToString,
    "response_deserializer": StringValue.FromString,
}


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, rpc: Grpc) -> Any:
    made: list[Channel] = []

    def connect(policy: Policy) -> Channel:
        made.append(Channel(request.param, policy, rpc.target))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def falling(**said: Any) -> Policy:
    return Policy(
        name="catalog", bulkhead=Bulkhead(limit=8), breaker=Breaker(), fallback=Fallback(**said)
    )


def test_the_last_good_answer_stands_in_and_is_marked(
    connect: Callable[[Policy], Channel], recorder: Recorder
) -> None:
    policy = falling(last_good=3)
    policy.events.add(recorder)
    channel = connect(policy)
    first = channel.call(b"a", COUNT)
    policy.breaker.force_open()
    with degraded() as marks:
        assert [channel.call(b"a", COUNT) for _ in range(2)] == [first, first]
    assert [(one.source, one.reason) for one in marks] == [("last_good", "CircuitOpen")] * 2
    assert recorder.count(AnswerDegraded, source="last_good") == 2


def test_while_the_server_answers_it_is_asked(connect: Callable[[Policy], Channel]) -> None:
    channel = connect(falling(last_good=3))
    first, second = int(channel.call(b"b", COUNT)), int(channel.call(b"b", COUNT))
    assert second == first + 1


def test_messages_of_protobuf_are_kept_and_each_caller_has_its_own(
    connect: Callable[[Policy], Channel],
) -> None:
    policy = falling(last_good=3)
    channel = connect(policy)
    asked = StringValue(value="pear")
    first = channel.call(asked, **PROTOBUF)
    first.value = "changed by its caller"
    policy.breaker.force_open()
    second = channel.call(StringValue(value="pear"), **PROTOBUF)
    assert second == asked
    second.value = "changed, too"
    assert channel.call(asked, **PROTOBUF) == asked
    with pytest.raises(CircuitOpen):
        channel.call(StringValue(value="apple"), **PROTOBUF)


def test_it_answers_the_same_question_alone(connect: Callable[[Policy], Channel]) -> None:
    """Who asks is part of the question; which request it is, is not."""
    policy = falling(last_good=3)
    channel = connect(policy)
    ann = ("authorization", "ann")
    channel.call(b"a", metadata=(ann, ("x-request-id", "1")))
    policy.breaker.force_open()
    for message, method, metadata in (
        (b"b", ECHO, (ann,)),
        (b"a", COUNT, (ann,)),
        (b"a", ECHO, (("authorization", "bob"),)),
        (b"a", ECHO, None),
        (b"a", ECHO, (ann, ("baggage", "user=bob"))),
    ):
        with pytest.raises(CircuitOpen):
            channel.call(message, method, metadata)
    assert channel.call(b"a", metadata=(ann, ("x-request-id", "2"))) == b"a"


def test_an_answer_is_for_those_who_read_it_alike(connect: Callable[[Policy], Channel]) -> None:
    """One method may be read in two ways, and nobody gets what somebody else's reader made."""
    policy = falling(last_good=3)
    channel = connect(policy)
    assert channel.call(b"a") == b"a"
    asked = StringValue(value="pear").SerializeToString()
    assert channel.call(asked) == asked
    policy.breaker.force_open()
    assert [channel.call(b"a"), channel.call(asked)] == [b"a", asked]
    for reader in (len, StringValue.FromString):
        with pytest.raises(CircuitOpen):
            channel.call(asked, response_deserializer=reader)


def test_other_interceptors_may_stand_before_it(rpc: Grpc) -> None:
    class Passes(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # It ships no types.
        def intercept_unary_unary(self, send: Any, details: Any, request: Any) -> Any:
            return send(details, request)

    policy = falling(last_good=3, value=b"nothing known")
    with grpc_channel(policy, rpc.target, repeatable=(ECHO,)) as bare:
        channel = grpc.intercept_channel(bare, Passes())
        assert channel.unary_unary(ECHO)(b"a") == b"a"
        policy.breaker.force_open()
        assert channel.unary_unary(ECHO)(b"a") == b"a"
        assert channel.unary_unary(ECHO, response_deserializer=len)(b"a") == b"nothing known"


def test_what_may_not_be_repeated_has_none(connect: Callable[[Policy], Channel]) -> None:
    """It changes something, and to say that it did so again would be a lie."""
    policy = falling(last_good=3)
    channel = connect(policy)
    assert channel.call(b"a", OTHER) == b"a"
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        channel.call(b"a", OTHER)


def test_an_answer_that_is_an_error_is_not_kept(connect: Callable[[Policy], Channel]) -> None:
    policy = falling(last_good=3)
    channel = connect(policy)
    with pytest.raises(grpc.RpcError) as caught:
        channel.call(b"NOT_FOUND,0,", ABORT)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        channel.call(b"NOT_FOUND,0,", ABORT)


def test_a_long_answer_is_not_kept(connect: Callable[[Policy], Channel]) -> None:
    policy = falling(last_good=3)
    channel = connect(policy)
    # Echoed, so it is the question that would be too long; an answer is measured as well.
    assert len(channel.call(b"x" * 65_537)) == 65_537
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        channel.call(b"x" * 65_537)


def test_channels_share_no_answers(connect: Callable[[Policy], Channel]) -> None:
    """They may differ in who they are by what is in no call."""
    policy = falling(last_good=3)
    one, two = connect(policy), connect(policy)
    one.call(b"a")
    policy.breaker.force_open()
    assert one.call(b"a") == b"a"
    with pytest.raises(CircuitOpen):
        two.call(b"a")


def test_a_value_stands_in(connect: Callable[[Policy], Channel]) -> None:
    """One for each caller, whatever they do to theirs."""
    policy = falling(value=StringValue(value="nothing"))
    policy.breaker.force_open()
    channel = connect(policy)
    for _ in range(2):
        found = channel.call(StringValue(value="pear"), OTHER, **PROTOBUF)
        assert found == StringValue(value="nothing")
        found.value = "changed by its caller"


def test_a_function_makes_one_from_what_was_asked(connect: Callable[[Policy], Channel]) -> None:
    asked: list[UnaryRequest] = []

    def instead(request: UnaryRequest) -> bytes:
        asked.append(request)
        return b"instead of " + bytes(request.message)

    policy = falling(function=instead)
    policy.breaker.force_open()
    channel = connect(policy)
    assert channel.call(b"pear", OTHER, metadata=(("who", "ann"),)) == b"instead of pear"
    assert [(one.method, one.metadata) for one in asked] == [(OTHER, (("who", "ann"),))]


def test_a_key_of_ones_own_is_made_from_what_is_asked(
    connect: Callable[[Policy], Channel],
) -> None:
    policy = falling(last_good=1, key=lambda request: request.method)
    channel = connect(policy)
    assert channel.call(b"a") == b"a"
    policy.breaker.force_open()
    assert channel.call(b"b", metadata=(("who", "bob"),)) == b"a"


def test_no_answer_is_found_by_a_later_declaration_of_none(
    connect: Callable[[Policy], Channel],
) -> None:
    """A channel follows its policy: what a live change takes away is gone at once."""
    from mainstay.service.outbound.plan import Parts

    policy = falling(last_good=3)
    channel = connect(policy)
    channel.call(b"a")
    policy.update(Parts(bulkhead=Bulkhead(limit=8), breaker=Breaker()))
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        channel.call(b"a")


async def test_a_coroutine_function_stands_in_for_tasks_alone(rpc: Grpc) -> None:
    async def instead(_request: UnaryRequest) -> bytes:
        return b"later"

    policy = falling(function=instead)
    policy.breaker.force_open()
    async with async_grpc_channel(policy, rpc.target) as channel:
        call = channel.unary_unary(OTHER)(b"a")
        assert await call == b"later"
        assert (await call.code(), await call.details()) == (grpc.StatusCode.OK, "")
    with grpc_channel(policy, rpc.target) as channel, pytest.raises(PolicyMisused):
        channel.unary_unary(OTHER)(b"a")


def test_a_call_that_something_stands_in_for_is_a_call(rpc: Grpc) -> None:
    policy = falling(value=b"instead")
    policy.breaker.force_open()
    told: list[Any] = []
    with grpc_channel(policy, rpc.target) as channel:
        answer, call = channel.unary_unary(OTHER).with_call(b"a")
        future = channel.unary_unary(OTHER).future(b"a")
    assert answer == b"instead"
    assert (call.code(), call.details()) == (grpc.StatusCode.OK, "")
    assert (call.initial_metadata(), call.trailing_metadata()) == ((), ())
    assert (call.time_remaining(), call.is_active(), call.add_callback(print)) == (
        None,
        False,
        False,
    )
    future.add_done_callback(told.append)
    assert told == [future]
    assert (future.result(), future.exception(), future.traceback()) == (b"instead", None, None)
    assert (future.done(), future.running(), future.cancelled(), future.cancel()) == (
        True, False, False, False,
    )  # fmt: skip
