import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.shim.order import ORDER_BYTES_MAX, Order, pack, unpack

field = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b""))
variable = field.map(lambda raw: raw.replace(b"=", b"") or b"NAME")


def order(
    argv: list[bytes], env: dict[bytes, bytes], cwd: bytes = b"/", memory_max: int | None = None
) -> Order:
    return Order(
        name=b"catalog-1",
        cwd=cwd,
        log_path=b"/logs/catalog-1.log",
        end_path=b"/ends/catalog-1.json",
        log_bytes_max=65536,
        memory_max_bytes=memory_max,
        argv=argv,
        env=env,
    )


def fields(one: Order) -> dict[str, object]:
    return {name: getattr(one, name) for name in Order.__slots__}


@given(
    argv=st.lists(field, min_size=1, max_size=6),
    env=st.dictionaries(variable, field, max_size=6),
    cwd=field,
    memory_max=st.none() | st.integers(1, 2**50),
)
def test_an_order_arrives_byte_for_byte(
    argv: list[bytes], env: dict[bytes, bytes], cwd: bytes, memory_max: int | None
) -> None:
    sent = order(argv, env, cwd, memory_max)
    assert fields(unpack(pack(sent))) == fields(sent)


@given(cut=st.integers(0, 120))
def test_an_order_that_was_cut_off_is_refused(cut: int) -> None:
    packed = pack(order([b"sh", b"-c", b"true"], {b"PATH": b"/bin", b"LANG": b"C"}))
    with pytest.raises(ValueError, match="whole"):
        unpack(packed[: min(cut, len(packed) - 1)])


@pytest.mark.parametrize(
    ("argv", "env", "why"),
    [
        ([], {}, "no program"),
        ([b"a\0b"], {}, "NUL"),
        ([b"a"], {b"K": b"hid\0den"}, "NUL"),
        ([b"a"], {b"": b"x"}, "name"),
        ([b"a"], {b"A=B": b"x"}, "name"),
        ([b"a" * ORDER_BYTES_MAX], {}, "longer"),
    ],
)
def test_what_no_system_can_run_is_refused(
    argv: list[bytes], env: dict[bytes, bytes], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        pack(order(argv, env))
    assert "hid" not in str(caught.value)
