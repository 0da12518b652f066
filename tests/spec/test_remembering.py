"""What is declared about idempotency keys and sessions, and what is wrong, with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.faults import Fault
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.load import load_system

HEAD = """\
service: shop
app: shop:app
dependencies:
  cache: {url: "redis://h:1", timeout: 1s}
  db: {url: "postgresql://h/d", timeout: 1s}
  api: {url: "https://api.example", timeout: 1s}
inbound:
"""
KEY = "a signing key of thirty-two letters"
SESSION = "  session:\n    store: cache\n    keys: ['${file:key}']\n"
IDEMPOTENCY = "  idempotency:\n    store: db\n"

Load = Callable[[str], Inbound]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str) -> Inbound:
        (tmp_path / "key").write_text(KEY + "\n")
        (tmp_path / "short").write_text("too short")
        (tmp_path / "mainstay.yaml").write_text(HEAD + text)
        loaded = load_system(tmp_path / "mainstay.yaml", environ={"KEY": KEY})
        return loaded.system.members[0].declaration.inbound

    return read


def faults(load: Load, text: str) -> list[Fault]:
    with pytest.raises(ConfigInvalid) as caught:
        load(text)
    assert KEY not in str(caught.value)
    return [fault for fault in caught.value.faults if isinstance(fault, Fault)]


def test_both_are_off_unless_they_are_declared(load: Load) -> None:
    inbound = load("  deadline: 5s\n")
    assert (inbound.idempotency, inbound.session) == (None, None)


def test_a_store_is_all_that_keys_need(load: Load) -> None:
    for store in ("cache", "db"):
        options = load(f"  idempotency: {store}\n").idempotency
        assert options is not None
        assert (options.store, options.ttl_s, options.after_crash) == (store, 86400.0, "refuse")


def test_a_session_needs_a_store_and_a_key(load: Load) -> None:
    options = load(SESSION).session
    assert options is not None
    (key,) = options.keys
    assert isinstance(key, Secret)
    assert key.reveal() == KEY
    assert (options.ttl_s, options.lifetime_s, options.touch_s) == (1800.0, 43200.0, 60.0)
    assert KEY not in repr(options)


@pytest.mark.parametrize(
    ("text", "path", "line", "words"),
    [
        ("  idempotency: cahce\n", "inbound.idempotency.store", 8, "did you mean cache?"),
        ("  idempotency: api\n", "inbound.idempotency.store", 8, "postgresql"),
        (IDEMPOTENCY + "    ttl: 5s\n    lease: 10s\n", "inbound.idempotency.lease", 11, "longer"),
        (IDEMPOTENCY + "    methods: []\n", "inbound.idempotency.methods", 10, "no method"),
        (IDEMPOTENCY + "    methods: [GET]\n", "inbound.idempotency.methods[0]", 10, "POST"),
        (IDEMPOTENCY + "    caller: header\n", "inbound.idempotency.caller", 10, "cookie:NAME"),
        (SESSION.replace("cache", "db"), "inbound.session.store", 9, "valkey"),
        (SESSION.replace("${file:key}", KEY), "inbound.session.keys[0]", 10, "a signing key"),
        (SESSION.replace("${file:key}", "${KEY}"), "inbound.session.keys[0]", 10, "a signing key"),
        (SESSION.replace("key}", "short}"), "inbound.session.keys[0]", 10, "32 characters"),
        (SESSION + "    same_site: none\n    secure: false\n", "inbound.session.same_site", 11,
         "secure"),
        (SESSION + "    ttl: 1d\n", "inbound.session.ttl", 11, "lifetime"),
        (SESSION + "    ttl: 1m\n", "inbound.session.touch", 8, "touch"),
        (SESSION + "    cookie: 'a=b'\n", "inbound.session.cookie", 11, "cookie's name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(
    load: Load, text: str, path: str, line: int, words: str
) -> None:
    (fault,) = faults(load, text)
    assert (fault.path, fault.line) == (path, line)
    assert words in fault.sentence


def test_a_wrong_key_hides_nothing_that_does_not_follow_from_it(load: Load) -> None:
    text = """\
  session: {store: cach, keys: [plain], ttl: 99q, touch: 2d, secure: false, same_site: none}
  idempotency: {store: dbb, methods: [GET], lease: 2h, ttl: never, odd: 1}
"""
    found = [fault.path.removeprefix("inbound.") for fault in faults(load, text)]
    assert found == [
        "session.store", "session.keys[0]", "session.ttl", "session.touch", "session.same_site",
        "idempotency.store", "idempotency.methods[0]", "idempotency.lease", "idempotency.ttl",
        "idempotency.odd",
    ]  # fmt: skip
