import json
import pickle
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.logs.hostile import NamelessError
from tests.telemetry.masking import corpus

from mainstay.telemetry.masking import MASKED, Masker
from mainstay.telemetry.masking.masker import HUGE_NUMBER, TEXT_CHARS_MAX
from mainstay.telemetry.masking.plain import DEPTH_MAX, ELIDED, ITEMS_MAX

SEED = 20_260_131
COUNT = 500


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def leaks(secret: str, shown: str) -> bool:
    """Return whether a part of a secret that tells something is in what is shown."""
    secret, shown = (re.sub(r"\\+n|\n", "", text) for text in (secret, shown))
    return secret[-24:] in shown or (len(secret) > 40 and secret[12:36] in shown)


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_no_secret_gets_out(seed: int) -> None:
    """500 of them, by key and by shape, in values, nested, exceptions, URLs and headers."""
    masker = Masker()
    cases = list(corpus.secrets(seed, COUNT))
    shown = [as_json(masker.mapping({case.key: case.value})) for case in cases]
    got_out = [
        (case, text) for case, text in zip(cases, shown, strict=True) if leaks(case.secret, text)
    ]
    assert got_out == []
    assert len(cases) == COUNT
    # The corpus is one: before masking, each of them is there.
    for case in cases:
        plain = case.value.decode() if isinstance(case.value, bytes) else repr(case.value)
        assert leaks(case.secret, plain)


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_look_alikes_stay_readable(seed: int) -> None:
    """500 of them: ids, hashes, numbers that fail their check, moments, versions, prices."""
    masker = Masker()
    fields = list(corpus.look_alikes(seed, COUNT))
    changed = [
        (key, value, masker.value(key, value))
        for key, value in fields
        if masker.value(key, value) not in {value, str(value)}
    ]
    assert changed == []
    assert len(fields) == COUNT


@pytest.mark.parametrize("kind", corpus.TOKENS)
def test_every_shape_is_hidden_wherever_it_stands(kind: str) -> None:
    rng = Random(SEED)
    for _ in range(20):
        secret = corpus.TOKENS[kind](rng)
        for value in corpus.in_texts(rng, secret):
            text = as_json(Masker().mapping({"note": value}))
            assert not leaks(secret, text), (value, text)


@pytest.mark.parametrize("key", corpus.SECRET_KEYS)
def test_every_secret_key_is_known_wherever_it_stands(key: str) -> None:
    rng = Random(SEED)
    secret = corpus.word(rng)
    for value in corpus.beside_keys(rng, key, secret):
        text = as_json(Masker().mapping({"note": value}))
        assert secret not in text, (value, text)


@pytest.mark.parametrize("key", corpus.PLAIN_KEYS)
def test_keys_that_look_like_secrets_stay(key: str) -> None:
    masker = Masker()
    assert masker.value(key, "abc123") == "abc123"
    assert masker.text(f"{key}=abc123") == f"{key}=abc123"


def test_what_is_beside_a_secret_stays() -> None:
    masker = Masker()
    given_shown = {
        "user=alice password=hunter22 host=db": "user=alice password=*** host=db",
        "postgresql://app:s3cret@db/shop": "postgresql://app:***@db/shop",
        '{"password": "a\\"b", "n": 1}': '{"password": "***", "n": 1}',
        "Authorization: Bearer abc.def": "Authorization: ***",
        "got Bearer abcdefg12, twice": "got Bearer ***, twice",
        "/login?token=abc&next=/": "/login?token=***&next=/",
        "written by a.b@example.org today": "written by *** today",
        "card 4111 1111 1111 1111 declined": "card *** declined",
        "to DE89 3704 0044 0532 0130 00 today": "to *** today",
    }
    assert {text: masker.text(text) for text in given_shown} == given_shown


class Liar:
    """Says of itself what it is asked, or nothing at all."""

    def __init__(self, *, answer: bool | None) -> None:
        self.answer = answer

    def __eq__(self, other: object) -> bool:
        if self.answer is None:
            raise RuntimeError("neither")
        return self.answer

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise RuntimeError("neither")


@pytest.mark.parametrize("answer", [True, False, None])
def test_a_secret_is_not_asked_whether_it_is_empty(*, answer: bool | None) -> None:
    """Arrays answer with arrays, and some objects with anything."""
    assert Masker().value("token", Liar(answer=answer)) == MASKED
    assert Masker().mapping({"a": {"pin": Liar(answer=answer)}}) == {"a": {"pin": MASKED}}


class Account(NamedTuple):
    name: str
    password: str


@dataclass
class Card:
    name: str
    blob: str = field(repr=False, default="hunter22")


def test_names_that_a_value_has_itself_are_known() -> None:
    masker = Masker()
    assert masker.shown(Account("alice", "hunter22")) == {"name": "alice", "password": MASKED}
    assert masker.shown(Card("alice")) == {"name": "alice"}
    headers = [{"name": "Authorization", "value": "hunter22"}, {"name": "Accept", "value": "text"}]
    assert masker.shown(headers) == [
        {"name": "Authorization", "value": MASKED},
        {"name": "Accept", "value": "text"},
    ]
    assert "hunter22" not in masker.text(as_json(headers))
    assert "hunter22" not in masker.text("env:\n- name: DB_PASSWORD\n  value: hunter22\n")


def test_a_long_text_is_cut_before_it_is_looked_at() -> None:
    masker = Masker()
    secret = corpus.TOKENS["github"](Random(3))
    long = f"/a/{secret}/" + "b/" * 50_000
    shown = masker.beginning(long, 160)
    assert shown.startswith("/a/***/b/b/")
    assert shown.endswith("b/...")
    assert 100 < len(shown) <= 163
    # What was cut in two at the end of what is looked at doesn't come near by masks before it.
    many = f"password={'x' * 4000} " + "c" * 245 + secret
    assert secret[:8] not in masker.beginning(many, 160)


def test_ids_of_requests_are_masked_as_texts_are() -> None:
    masker = Masker()
    for kept in (str(UUID(int=7)), "r-1", "00f067aa0ba902b7"):
        assert masker.identifier(kept) == kept
    for hidden in ("alice@example.org", corpus.card(Random(1)), corpus.TOKENS["github"](Random(1))):
        assert masker.identifier(hidden) == MASKED == masker.text(hidden)


def test_the_absence_of_a_secret_is_none() -> None:
    masker = Masker()
    absent = {"password": None, "token": "", "secret": False, "otp": True}
    assert masker.mapping(absent) == absent
    assert masker.value("pin", 0) == MASKED


def test_further_keys_are_hidden_in_any_spelling() -> None:
    masker = Masker(("shoeSize", "tax-number"))
    for key in ("shoe_size", "SHOE-SIZE", "customerShoeSize", "tax_number", "shoeSize2"):
        assert masker.value(key, "42") == MASKED
    assert masker.value("shoe", "42") == "42"
    assert masker.text("shoe_size=42 size=3") == "shoe_size=*** size=3"
    assert Masker().value("shoe_size", "42") == "42"


def test_a_key_that_is_a_secret_itself_is_hidden_each_time() -> None:
    masker = Masker()
    mail = corpus.mail(Random(1)).replace("'", "")
    for _ in range(2):
        assert mail not in as_json(masker.mapping({mail: 1, "a": {mail: [2]}}))


class Colour(Enum):
    RED = "red"


@dataclass
class Login:
    user: str
    password: str


class Quiet(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("not this one")


class Broken:
    def __repr__(self) -> str:
        raise ValueError("password=hunter22")


def test_values_of_all_kinds_are_made_plain() -> None:
    shown = Masker().mapping(
        {
            "at": datetime(2026, 1, 31, tzinfo=UTC),
            "id": UUID(int=7),
            "amount": Decimal("12.50"),
            "path": PurePosixPath("/srv/app"),
            "colour": Colour.RED,
            "login": Login("alice", "hunter22"),
            "bytes": b"caf\xc3\xa9 \xff",
            "set": frozenset({3}),
            "quiet": Quiet("ok"),
            "huge": 10**30,
            "vast": 10**5000,
            "nan": float("nan"),
            "least": -(2**63),
        }
    )
    assert shown == {
        "at": "2026-01-31T00:00:00+00:00",
        "id": str(UUID(int=7)),
        "amount": "12.50",
        "path": "/srv/app",
        "colour": "red",
        "login": {"user": "alice", "password": MASKED},
        "bytes": "café \\xff",
        "set": [3],
        "quiet": "ok",
        "huge": str(10**30),
        "vast": HUGE_NUMBER,
        "nan": "nan",
        "least": -(2**63),
    }


def test_what_cannot_be_shown_is_named_and_says_nothing_else() -> None:
    shown = Masker().value("thing", {"a": Broken()})
    assert shown == "(dict can't be shown: ValueError)"
    # Of a class that hides its own name too.
    assert "NamelessError" in str(Masker().shown(NamelessError()))


def test_depth_and_size_are_bounded() -> None:
    circle: list[object] = []
    circle.append(circle)
    depth, shown = 0, Masker().value("circle", circle)
    while isinstance(shown, list):
        depth, shown = depth + 1, shown[0]
    assert (depth, shown) == (DEPTH_MAX, ELIDED)
    wide = Masker().value("wide", [[0] * 600] * 600)
    assert isinstance(wide, list)
    assert len(as_json(wide)) < 8 * ITEMS_MAX
    long = Masker().text("no secret, " * TEXT_CHARS_MAX)
    assert len(long) == TEXT_CHARS_MAX + 3


def test_a_secret_across_the_bound_is_seen_whole() -> None:
    secret = corpus.TOKENS["github"](Random(3))
    text = Masker().text("x " * (TEXT_CHARS_MAX // 2 - 10) + secret + " y" * 10_000)
    assert secret[:12] not in text


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_and_key_is_taken_and_masking_twice_changes_nothing(text: str, key: str) -> None:
    masker = Masker()
    once = masker.text(text)
    assert masker.text(once) == once
    assert masker.value(key, text) in {once, MASKED, text if text == "" else once}


@given(st.text(alphabet="ab1 =:'\"\\@/.-_<>([{%pswtoken", max_size=400))
def test_hostile_texts_are_taken(text: str) -> None:
    """Of the characters that the rules themselves are made of."""
    assert isinstance(Masker().text(text), str)


def test_names_of_keys_fill_no_memory() -> None:
    masker = Masker()
    for number in range(10_000):
        masker.value(f"k{number}", 1)
    assert len(masker._known) <= 4096


def test_a_masker_is_not_needed_twice() -> None:
    """What is shown holds nothing of ours: it can be sent on by any means."""
    shown = Masker().mapping({"a": [Login("a", "b")]})
    assert pickle.loads(pickle.dumps(shown)) == shown  # noqa: S301  Our own bytes.


def test_the_rest_of_a_private_key_is_hidden_where_its_beginning_was_cut_off() -> None:
    rng = Random(SEED)
    for _ in range(20):
        secret = corpus.private_key(rng)
        for text in (secret, repr(secret)[1:-1]):
            cut = text[rng.randint(40, len(text) - 60) :]
            assert Masker().text(f"{cut} failed, a-b_c") == f"{MASKED} failed, a-b_c"
