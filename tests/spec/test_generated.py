"""Twenty thousand generated documents, valid and broken: each is a value or ConfigInvalid.

Made from the keys and kinds themselves, so that a new key is covered on the day it is added. A
failure names the seed of its document: ``Maker(Random(seed))`` makes it again.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.declaration import Declaration
from mainstay.spec.dump import dump
from mainstay.spec.faults import Fault
from mainstay.spec.kinds.keys import keys_of
from mainstay.spec.kinds.kinds import (
    Address,
    Choice,
    Command,
    Either,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Network,
    Section,
    Text,
    Weight,
    Whole,
)
from mainstay.spec.kinds.quantities import Quantity
from mainstay.spec.load import Loaded, load_system

CHUNKS = 20
VALID_PER_CHUNK = 250
BROKEN_PER_CHUNK = 800
"""20 × (250 + 800) = 21,000 documents; in chunks, so that workers share them."""

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Texts of each form, by the noun phrase that faults show; a form that is missing here fails.
TEXTS = {
    "a service's name": ["a", "shop", "store-front2"],
    "a dependency's name": ["db", "pay_ments", "x1"],
    "a version such as": ["dev", "1.4.2", "1.10", "v2+b"],
    "an import path": ["shop:app", "shop.main:make()"],
    "an environment variable": ["A", "_B1", "PATH"],
    "a folder": [".", "src", "a b"],
    "a text": ["", "no", "${HOME:-x}", "$${X}", "é 🚲", "a: b # c", "1e3", "${file:secret}"],
    "a header": ["X-Tenant", "x-importance"],
    "a percentile": ["p95", "p99.9"],
    "a path such as": ["/", "/health/ready"],
    "a host such as": ["shop.example.com", "*.example.com", "127.0.0.1", "[::1]"],
    "an origin such as": ["https://shop.example", "https://*.shop.example", "http://[::1]:3000"],
    "a method such as": ["GET", "M-SEARCH"],
    "a directive of CSP": ["script-src", "default-src"],
    "a source of CSP": ["self", "nonce", "https://cdn.example.com/*.js", "'none'", "data:"],
    "a feature such as": ["camera", "usb"],
    "who may use a feature": ["self", "*", "https://maps.example.com"],
    "the beginning of a URI": ["https://docs.example.com/problems#", "tag:example.com,2025:"],
    "client_ip": ["client_ip", "header:X-Key"],
    "a limit's name": ["a", "per-minute"],
    "a check's name": ["disk", "payments", "Ledger.1"],
    "a group's name": ["orders", "write-path"],
    "a sentence": ["Sells bicycles.", "é 🚲", "a: b # c"],
    "a link's relation": ["about", "https://rels.example/runbook"],
    "where a link leads": ["https://wiki.example/shop", "/docs"],
    "an endpoint such as": ["10.0.0.1:80", "[::1]:65535", "a.example:1 weight=3"],
    "authorization, client_ip": ["authorization", "client_ip", "header:X-Key", "cookie:sid"],
    "a cookie's name": ["sid", "session"],
    "a signing key": ["${file:secret}"],
    "the name of a key": ["iban", "x-card"],
    "an http:// or": ["http://127.0.0.1:4318", "https://otlp.example/v1"],
    "a Sentry DSN": ["https://key@errors.example/7", "http://k@127.0.0.1:9/1"],
    "a name such as production": ["dev", "production"],
    "a URL such as": ["https://x.example/y", "postgresql://u@h/d", "redis://${HOST:-h}:1/0"],
}


def _put_shed_right(inbound: dict[str, Any]) -> None:
    """The limits have an order, and no path has two priorities."""
    if isinstance(inbound.get("shed"), dict):
        for name in ("limit", "limit_min", "limit_max", "priorities"):
            inbound["shed"].pop(name, None)


def _put_breaker_right(breaker: Any) -> None:
    """Which of the other dependencies may be a store hangs on its URL. Any: raw YAML."""
    if isinstance(breaker, dict) and breaker.get("share") not in {None, "off"}:
        breaker["share"] = "host"


class Maker:
    """Makes documents from a source of chance."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def value(self, kind: Kind) -> Any:
        """Return a raw value of a kind. Any: raw YAML."""
        rng = self.rng
        if isinstance(kind, Section):
            short = kind.shorthand is not None and rng.random() < 0.3
            if not short:
                return self.section(kind.cls)
            return self.value(
                next(k.kind for _, k, _ in keys_of(kind.cls) if k.name == kind.shorthand)
            )
        if isinstance(kind, ListOf):
            if kind.single and rng.random() < 0.3:
                return self.value(kind.item)
            return [self.value(kind.item) for _ in range(rng.randint(0, min(3, kind.maximum)))]
        if isinstance(kind, MapOf):
            return {self.value(kind.name): self.value(kind.item) for _ in range(rng.randint(0, 2))}
        return self.leaf(kind)

    def leaf(self, kind: Kind) -> Any:  # noqa: C901, PLR0911  One for each kind.
        """Return a raw value of a kind without structure. Any: raw YAML."""
        rng = self.rng
        if isinstance(kind, Quantity):
            low, high = kind.minimum, kind.maximum
            if low is None or high is None:
                return kind.example
            return rng.choice([kind.text(low), kind.text(high), kind.example])
        if isinstance(kind, Weight):
            share = rng.randint(0, 100)
            return rng.choice((share, f"{share}%"))
        if isinstance(kind, Whole):
            return rng.choice([kind.minimum, kind.maximum, rng.randint(kind.minimum, kind.maximum)])
        if isinstance(kind, Flag):
            return rng.random() < 0.5
        if isinstance(kind, Choice):
            return rng.choice(kind.words)
        if isinstance(kind, Either):
            return self.leaf(rng.choice(kind.kinds))
        if isinstance(kind, Command):
            return rng.choice(["run me", "a 'b c' ${X:-d}", ["x", 80, "$${Y}"], ["no", ""]])
        if isinstance(kind, Network):
            return rng.choice(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
        if isinstance(kind, Address):
            return rng.choice(["127.0.0.1", "127.0.0.2", "::1"])
        assert isinstance(kind, Text), f"how is a {kind} made?"
        return rng.choice(
            next(texts for what, texts in TEXTS.items() if kind.what.startswith(what))
        )

    def section(self, cls: type) -> dict[str, Any]:
        section = {}
        for _, key, _ in keys_of(cls):
            if not key.required and self.rng.random() < 0.7:
                continue
            turned_off = key.off and self.rng.random() < 0.2
            section[key.name] = (
                self.rng.choice(["off", None]) if turned_off else self.value(key.kind)
            )
        return section

    def valid(self) -> dict[str, Any]:  # noqa: C901  One for each fault of a whole.
        """Return a declaration that is valid as a whole, too."""
        top = self.section(Declaration)
        top.pop("command", None) if self.rng.random() < 0.7 else top.pop("app", None)
        if "command" not in top:
            top["app"] = "shop:app"
        run = top.get("run")
        if isinstance(run, dict):
            run["server"], run["interface"] = "granian", "auto"
        if isinstance(top.get("edge"), dict):
            top["edge"].pop("timeout", None)
            # An `app` speaks http.
            top["edge"].pop("protocol", None)
        top["inbound"] = inbound = {**(top.get("inbound") or {}), "deadline": "1d"}
        if isinstance(inbound.get("headers"), dict):
            # What may be preloaded or only reported hangs on other keys.
            inbound["headers"].pop("hsts", None)
            inbound["headers"].pop("report_only", None)
        _put_shed_right(inbound)
        limits = inbound.get("rate_limit") or []
        if isinstance(limits, list):
            # Only one may go without a name of its own.
            limits = [one for one in limits if isinstance(one, dict)]
            inbound["rate_limit"] = limits
        for index, limit in enumerate(limits if isinstance(limits, list) else [limits]):
            if isinstance(limit, dict):
                # `by: route` needs paths, and no cost may be above the burst.
                limit["name"], limit["for"] = f"limit-{index}", "/"
                for name in ("cost", "costs", "store"):
                    limit.pop(name, None)
        for dependency in (top.get("dependencies") or {}).values():
            # A service would be unknown here, and what calls may take must fit under a day.
            dependency.pop("service", None)
            dependency["url"] = self.rng.choice(TEXTS["a URL such as"])
            _put_breaker_right(dependency.get("breaker"))
            if isinstance(balance := dependency.get("balance"), dict):
                dependency["url"] = "https://x.example/y"
                # No endpoint may be there twice.
                balance["endpoints"] = balance.get("endpoints") and ["10.0.0.1:80", "[::1]:80"]
                balance = {name: one for name, one in balance.items() if one}
                dependency["balance"] = balance
            elif balance not in {None, "off"}:
                dependency["url"] = "http://x.example"
            dependency["timeout"] = self.rng.choice(["2s", {"total": "1h", "attempt": "auto"}])
        self._give_stores(top, inbound)
        return top

    def _give_stores(self, top: dict[str, Any], inbound: dict[str, Any]) -> None:
        """Make what keeps something in a store right as a whole."""
        for name, hanging in (
            ("idempotency", ("lease", "ttl", "methods")),
            ("session", ("ttl", "lifetime", "touch", "same_site")),
        ):
            section = inbound.get(name)
            if not section or section == "off":
                continue
            if isinstance(section, dict):
                for one in hanging:
                    section.pop(one, None)
                section["store"] = "kept"
            else:
                inbound[name] = "kept"
            if name == "session":
                inbound[name]["keys"] = ["${file:secret}"]
            dependencies = top.get("dependencies") or {}
            dependencies["kept"] = {"url": "redis://h:1", "timeout": "2s"}
            top["dependencies"] = dependencies

    def broken(self) -> bytes:
        """Return the bytes of a document with something done to it; most are not valid."""
        document = self.valid()
        for _ in range(self.rng.randint(1, 3)):
            self.rng.choice([self._misspell, self._mistype, self._drop, self._add])(document)
        text = yaml.dump(document, Dumper=DUMPER, sort_keys=False, allow_unicode=True)
        data = text.encode("utf-8", "surrogatepass")
        if self.rng.random() < 0.3:
            data = self.rng.choice([self._splice, self._cut, self._double])(data)
        return data

    def _mappings(self, node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            yield node
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, dict | list):
                yield from self._mappings(child)

    def _some(self, document: dict[str, Any]) -> dict[str, Any]:
        return self.rng.choice([one for one in self._mappings(document) if one] or [document])

    def _misspell(self, document: dict[str, Any]) -> None:
        section = self._some(document)
        name = self.rng.choice(list(section) or ["x"])
        at = self.rng.randint(0, len(str(name)))
        section[str(name)[:at] + self.rng.choice("xé_ \n") + str(name)[at:]] = section.pop(name, 1)

    def _mistype(self, document: dict[str, Any]) -> None:
        section = self._some(document)
        wrong: list[Any] = [
            [], {}, None, True, 10**30, -1, 1.5, "1e999", "x" * 5000, "🚲", "${", "${MISSING}",
            [[[[]]]], {"a": {"b": {}}}, "off", "\x00", "${file:/no/such}", float("nan"),
            "999999999999999d", "100%..5%", "5 x", "${file:${X}}", {"": ""}, "\ud7ff\u202e",
        ]  # fmt: skip
        section[self.rng.choice(list(section) or ["x"])] = self.rng.choice(wrong)

    def _drop(self, document: dict[str, Any]) -> None:
        section = self._some(document)
        if section:
            del section[self.rng.choice(list(section))]

    def _add(self, document: dict[str, Any]) -> None:
        name = self.rng.choice(
            ["intervall", "timeout", "", "<<", "~", "a.b", "x" * 300, "${X}", "é"]
        )
        self._some(document)[name] = self.rng.choice([1, "x", None, {"y": []}])

    def _splice(self, data: bytes) -> bytes:
        at = self.rng.randrange(len(data) + 1)
        odd = [
            self.rng.randbytes(3),
            b"\0",
            b"\t",
            b": ",
            b"[",
            b"{",
            b"\n",
            b"&a",
            b"*a",
            b"!x ",
            b"'",
        ]
        return data[:at] + self.rng.choice(odd) + data[at:]

    def _cut(self, data: bytes) -> bytes:
        return data[: self.rng.randrange(len(data) + 1)]

    def _double(self, data: bytes) -> bytes:
        return data + self.rng.choice([data, data.splitlines(keepends=True)[0]])


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], Loaded]:
    (tmp_path / "secret").write_text("hunter2" * 5)
    file = tmp_path / "mainstay.yaml"

    def load_bytes(data: bytes) -> Loaded:
        file.write_bytes(data)
        return load_system(file, environ={})

    return load_bytes


def declaration_of(loaded: Loaded) -> Declaration:
    return loaded.system.members[0].declaration


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_valid_document_survives_load_dump_load(
    load: Callable[[bytes], Loaded], chunk: int
) -> None:
    for seed in range(chunk * VALID_PER_CHUNK, (chunk + 1) * VALID_PER_CHUNK):
        document = Maker(random.Random(seed)).valid()
        data = yaml.dump(document, Dumper=DUMPER, sort_keys=False).encode()
        try:
            first = declaration_of(load(data))
            dumped = dump(first)
            again = declaration_of(load(dumped.encode()))
        except ConfigInvalid as error:
            pytest.fail(f"seed {seed} is not valid: {error}\n{data.decode()}")
        assert again == first, f"seed {seed}:\n{dumped}"
        assert dump(again) == dumped, f"seed {seed}"
        assert "hunter2" not in dumped, f"seed {seed}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_broken_document_ends_in_a_value_or_in_faults(
    load: Callable[[bytes], Loaded], chunk: int
) -> None:
    refused = 0
    for seed in range(chunk * BROKEN_PER_CHUNK, (chunk + 1) * BROKEN_PER_CHUNK):
        data = Maker(random.Random(seed)).broken()
        try:
            assert declaration_of(load(data)).service, f"seed {seed}"
        except ConfigInvalid as error:
            refused += 1
            check_faults(error, data, f"seed {seed}")
    # Else the mutations would be harmless, and this test as well.
    assert refused > BROKEN_PER_CHUNK * 0.7


def check_faults(error: ConfigInvalid, data: bytes, hint: str) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for fault in error.faults:
        assert isinstance(fault, Fault)
        line = str(fault)
        assert line.isprintable(), f"{hint}: {line!r}"
        assert 1 <= fault.line <= lines + 1, f"{hint}: {line}"
        assert fault.column >= 1
        assert fault.sentence
        assert "hunter2" not in json.dumps(fault.as_json()), hint


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_in_faults(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    load_any(tmp_path_factory, data)


YAML_LETTERS = st.text(alphabet="abs: -[]{},'\"#&*!|>%@\n\t?01.$~ée\\u<=", max_size=120)


@settings(max_examples=1000, deadline=None)
@given(YAML_LETTERS)
def test_any_letters_of_yaml_end_in_a_value_or_in_faults(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    load_any(tmp_path_factory, text.encode())
    load_any(tmp_path_factory, b"service: a\nrun: " + text.encode())


def load_any(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)
    try:
        assert load_system(file, environ={}).system.members
    except ConfigInvalid as error:
        check_faults(error, data, repr(data))
