"""Lines of the ring: what is written is read back, and nothing else is believed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.traces.spans import span

from mainstay.control.traces.line import HEAD, LINE_BYTES_MAX, line_of, span_of
from mainstay.control.traces.span import KeptMoment

texts = st.text(max_size=30)
plain = st.dictionaries(
    texts, texts | st.booleans() | st.integers(-(2**63), 2**63) | st.lists(texts), max_size=4
)


@given(
    name=texts, service=texts, message=texts, attributes=plain, moments=st.lists(plain, max_size=2)
)
def test_a_span_is_read_back_as_it_was(
    name: str,
    service: str,
    message: str,
    attributes: dict[str, Any],
    moments: list[dict[str, Any]],
) -> None:
    sent = span(
        name=name,
        service=service,
        message=message,
        attributes=attributes,
        moments=tuple(KeptMoment(name=name, at_ns=7, attributes=one) for one in moments),
    )
    line = line_of(sent)
    assert span_of(line) == sent
    assert line.startswith(HEAD)
    assert line.count(b"\n") == 1


def test_a_line_is_bounded_and_keeps_what_says_most() -> None:
    many = {f"name {number}": "x" * 4096 for number in range(20)}
    line = line_of(span(attributes=many, moments=(KeptMoment(name="m", at_ns=1, attributes=many),)))
    assert len(line) <= LINE_BYTES_MAX
    found = span_of(line)
    assert found is not None
    assert (found.name, found.attributes, found.moments) == ("span 1", {}, ())
    few = dict(list(many.items())[:10])
    kept = span_of(
        line_of(span(attributes=few, moments=(KeptMoment(name="m", at_ns=1, attributes=few),)))
    )
    assert kept is not None
    assert (len(kept.attributes), kept.moments) == (10, ())


WHOLE = json.loads(line_of(span(moments=(KeptMoment(name="m", at_ns=1, attributes={}),))))


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("wrong", [None, 1.5, [], [[1, 2, 3]], {"a": 1}, -1, "x", "missing"])
def test_a_line_with_a_field_of_another_kind_is_none_or_still_a_span(name: str, wrong: Any) -> None:
    changed = {**WHOLE, name: wrong}
    if wrong == "missing":
        del changed[name]
    found = span_of(json.dumps(changed).encode())
    if found is not None:
        assert isinstance(wrong, str | list | dict | None)
        assert line_of(found)


@given(st.binary(max_size=100) | st.just(b"[" * 100_000))
def test_what_is_no_line_of_ours_is_none(raw: bytes) -> None:
    assert span_of(raw) is None
