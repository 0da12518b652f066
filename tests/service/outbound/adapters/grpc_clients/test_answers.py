"""Which messages of gRPC are kept, and what they are found by."""

from functools import partial
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # It ships no types.
from google.protobuf.wrappers_pb2 import BytesValue, StringValue  # type: ignore[import-untyped]  # As above.

from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX
from mainstay.service.outbound.adapters.grpc_clients.answers import (
    Packed,
    UnaryRequest,
    question_of,
    reader_of,
)


def asking(message: Any, metadata: Any = (), credentials: Any = None) -> UnaryRequest:
    return UnaryRequest("/shop.Catalog/Get", message, metadata, credentials)


def test_a_message_is_packed_and_made_anew() -> None:
    message = StringValue(value="pear")
    packed = Packed.of(message)
    assert packed is not None
    message.value = "apple"
    assert packed.message() == StringValue(value="pear")
    assert packed.message() is not packed.message()


@pytest.mark.parametrize("message", ["text", {"a": 1}, None, 7, object()])
def test_what_does_not_turn_into_bytes_is_not_kept(message: object) -> None:
    assert Packed.of(message) is None
    with pytest.raises(TypeError):
        question_of(asking(message))


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (bytes(KEPT_BYTES_MAX), True),
        (bytes(KEPT_BYTES_MAX + 1), False),
        (BytesValue(value=bytes(KEPT_BYTES_MAX - 4)), True),
        (BytesValue(value=bytes(KEPT_BYTES_MAX - 3)), False),
    ],
    ids=["bytes", "bytes, too long", "protobuf", "protobuf, too long"],
)
def test_long_ones_are_not_kept(message: Any, *, kept: bool) -> None:
    assert (Packed.of(message) is not None) is kept


def test_the_same_question_is_equal_however_its_maps_were_filled() -> None:
    one, two = Struct(), Struct()
    names = [f"name {nth}" for nth in range(20)]
    one.update(dict.fromkeys(names, 1.0))
    two.update(dict.fromkeys(reversed(names), 1.0))
    assert question_of(asking(one)) == question_of(asking(two))


def test_kinds_of_messages_are_different_questions() -> None:
    """Empty messages of all kinds are the same bytes."""
    assert question_of(asking(StringValue())) != question_of(asking(BytesValue()))
    assert question_of(asking(StringValue())) != question_of(asking(b""))


def test_who_asks_is_part_of_the_question_and_which_request_is_not() -> None:
    bare = question_of(asking(b"a"))
    assert question_of(asking(b"a", (("traceparent", "00-1"), ("x-request-id", "1")))) == bare
    assert question_of(asking(b"a", (("authorization", "ann"),))) != bare
    assert question_of(asking(b"a", (), credentials=object())) != bare


def test_who_travels_with_a_request_is_part_of_the_question() -> None:
    assert question_of(asking(b"a", (("baggage", "user=ann"),))) != question_of(asking(b"a"))


@pytest.mark.parametrize("send", [len, partial(len, ""), lambda details, request: details])
def test_nothing_is_kept_where_nobody_knows_who_reads(send: Any) -> None:
    assert reader_of(send) is None
