"""Whatever a client sends as its cookie: a session of ours or none, and never an exception."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.service.inbound.sessions.drive import NEW, OLD, Wsgi

from mainstay.core.sessions import NOW, Birth, Found
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.sessions.change import Altered, Ended, Made
from mainstay.service.inbound.sessions.cookie import Cookie, Signer, name_of
from mainstay.service.inbound.sessions.session import Session

SIGNER = Signer([NEW.reveal().encode(), OLD.reveal().encode()], "shop")
COOKIE = Cookie.declared("session", secure=True, same_site="lax")
GOOD = SIGNER.sign(SIGNER.new_id(None))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner,
                      max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=500)
@given(st.binary(max_size=300))
@example(b"__Host-session=" + GOOD[:-1])
@example(b"__Host-session=" + GOOD + b"=")
@example(b"__Host-session=" + b"A" * 86)
@example(b"__Host-session=" + b"\xff" * 86)
@example(b'__Host-session="' + GOOD + b'"')
@example(b"__Host-session")
@example(b"=; ;;=__Host-session;")
@example(b"__Host-session=" * 2000)
def test_any_header_is_no_session(header: bytes) -> None:
    assert SIGNER.verify(COOKIE.value_in(header)) is None


@given(st.binary(min_size=86, max_size=86))
def test_any_value_of_the_right_length_is_none(value: bytes) -> None:
    assert SIGNER.verify(value) is None


def test_a_session_has_one_cookie_and_no_other_spelling_of_it() -> None:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/"
    last = [GOOD[:-1] + bytes([letter]) for letter in letters]
    assert [value for value in last if SIGNER.verify(value)] == [GOOD]
    # The twins of base64's other alphabet: some value in a hundred has one of the two letters.
    values = [SIGNER.sign(SIGNER.new_id(None)) for _ in range(100)]
    twins = [value.replace(b"-", b"+").replace(b"_", b"/") for value in values]
    assert not [twin for twin in twins if twin not in values and SIGNER.verify(twin)]


@given(st.integers(0, 85), st.integers(1, 63))
def test_a_value_that_was_changed_at_any_place_is_none(at: int, by: int) -> None:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    letter = letters[(letters.index(GOOD[at]) + by) % 64]
    changed = GOOD[:at] + bytes([letter]) + GOOD[at + 1 :]
    proved = SIGNER.verify(changed)
    # Of the last letter four bits are padding, which say nothing.
    assert proved is None or (at == 85 and proved == SIGNER.verify(GOOD))


def test_it_is_found_among_others() -> None:
    header = b"a=1;  __Host-session=" + GOOD + b" ; __Host-session=other; session=x"
    assert SIGNER.verify(COOKIE.value_in(header)) is not None


@given(st.text(max_size=300))
def test_users_have_groups_and_ids_have_chance(user: str) -> None:
    one, other = SIGNER.new_id(user), SIGNER.new_id(user)
    assert name_of(one).group == name_of(other).group == SIGNER.group_of(user)
    assert name_of(one).digest != name_of(other).digest
    assert len(one) == 32


class Door:
    """A store with one session in it."""

    data_bytes_max = 1_000_000

    def __init__(self, found: Found | None) -> None:
        self.found = found

    def identify(self, session: Session) -> Any:
        return name_of(b"x" * 32) if self.found is not None else None

    def load(self, name: Any) -> Found | None:
        return self.found

    async def aload(self, name: Any) -> Found | None:
        return self.found


KEYS = st.sampled_from("abc")
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, JSON),
        st.tuples(st.just("pop"), KEYS, st.none()),
        st.tuples(st.just("get"), KEYS, st.none()),
        st.tuples(st.just("clear"), KEYS, st.none()),
        st.tuples(st.just("rotate"), KEYS, st.none()),
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(st.none() | st.dictionaries(KEYS, JSON, max_size=3), OPERATIONS)
def test_it_is_a_dictionary_and_keeps_what_a_dictionary_would(
    before: dict[str, Any] | None, operations: list[tuple[str, str, Any]]
) -> None:
    """What is kept, applied to what was there, is what a plain dict would hold."""
    dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    raw = {key: dumps(value) for key, value in (before or {}).items()}
    found = None if before is None else Found(dict(raw), Birth(1, None, ""))
    session, model = Session(Door(found), Exchange(), waits=False), dict(before or {})
    for name, key, value in operations:
        if name == "set":
            session[key] = model[key] = value
        elif name == "pop":
            assert session.pop(key, None) == model.pop(key, None)
        elif name == "get":
            assert session.get(key) == model.get(key)
        elif name == "clear":
            session.clear()
            model.clear()
        else:
            session.rotate()
        assert dict(session) == model
        assert len(session) == len(model)
    change = session.change()
    if isinstance(change, Altered):
        raw.update(change.fields)
        for key in change.removed:
            raw.pop(key, None)
    elif isinstance(change, Made):
        raw = change.fields
        assert change.birth in {Birth(NOW, None, ""), Birth(1, None, "")}
    elif isinstance(change, Ended):
        raw = {}
    assert {key: json.loads(text) for key, text in raw.items()} == model


@given(st.text(max_size=20), JSON)
def test_whatever_is_put_in_comes_out_of_the_store(key: str, value: Any) -> None:
    site = Wsgi()
    if not all(char.isprintable() for char in key):
        return
    site.ask(lambda session: session.update({key: value}))
    seen: list[Any] = []
    site.ask(lambda session: seen.append(session[key]))
    assert seen == [value]
