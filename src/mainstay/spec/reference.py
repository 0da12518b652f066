"""The reference page of the declaration, made from the keys: docs/reference/declaration.md."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from mainstay.spec.declaration import Declaration
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import Kind, ListOf, MapOf, Section
from mainstay.spec.kinds.units import duration_text
from mainstay.spec.reading.systemfile import SystemFile
from mainstay.spec.timeouts import default_rows

_KINDS = {
    "service": "another service",
    "api": "`http`, `https`, `grpc`",
    "database": "a database: `postgresql`, `mysql`, `mongodb` and so on",
    "cache": "a cache: `redis`, `valkey`, `memcached`",
    "other": "anything else",
}

_HEAD = """\
# The declaration

Every key of `mainstay.yaml`. This page is made from the code; `mainstay schema` prints the same for
editors, and `mainstay validate` checks files against it.

## How values are written

- Quantities have units: `800ms`, `1m30s`, `512MiB`, `20%`, `100/s`, `50ms..1s`. A bare number is
  refused where a unit is needed. A duration is exact to the nanosecond.
- Flags are `true` and `false`, or `on` and `off`; `no` and `yes` are texts. A number stands for its
  text where a text is expected, as written: `version: 1.10`.
- `off`, `false`, or nothing at all, turns a key off where its type says so; `on` or `true` turns it
  on, as its defaults are. A list, a mapping or a section with nothing in it declares nothing.
- Where a section has a short form, one value stands for the whole: `bulkhead: 32` is
  `bulkhead: {limit: 32}`.
- `${NAME}` is the environment's, and must be set; `${NAME:-default}` need not be; `$${` is `${`
  itself. Within braces, quote it: `{port: "${PORT:-8080}"}`.
- `${file:/run/secrets/x}` is what that file holds (at most 64 KiB, one line end at its end left
  out), relative paths beginning at the declaration's folder. It may stand where "may be a secret"
  is said, and is never shown.
- `mainstay.<env>.yaml` beside the file lies over it: `--env NAME` or `MAINSTAY_ENV`. Mappings are
  merged key by key; lists and single values are replaced.
- Anchors and aliases may be used. Tags, merge keys (`<<`) and a second document are refused, and a
  file is at most 1 MiB (128 KiB where PyYAML comes without libyaml), 32 levels and 50,000 values.

## What is checked across keys and services

- Each dependency names a `service` of the system or a `url`. No service calls itself, directly or
  in a circle. A service that is not part of the system is known by `MAINSTAY_URL_<SERVICE>`.
- No port is opened twice on one address.
- A `required` dependency says how long it may take: one of `timeout.total`, `timeout.attempt` and
  `timeout.read`. `connect` alone says nothing about the answer.
- Nobody waits shorter than what lies under it may take. A call may take its `timeout.total`, or
  attempts × `timeout.attempt` and the pauses between, whichever is less; a call without either may
  take as long as the calls that the other service makes in turn. Compared are `inbound.deadline`
  and `edge.timeout` with the calls under them, and a call with the deadline and the calls of the
  service that it goes to. Only what is declared is compared: where nothing is, the one deadline of
  the request bounds the call when it runs. The default deadline is compared with a single
  `timeout.total` or `timeout.attempt` that is longer than it.

## Defaults of a dependency's timeouts

| it is | connect | read | write | total |
|---|---|---|---|---|
"""


def reference_page() -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD, *_timeout_rows(), "\n## A service\n\n", *_table(Declaration, "")]
    parts += ["\n## A system\n\n", *_table(SystemFile, "")]
    return "".join(parts)


def _timeout_rows() -> Iterator[str]:
    for kind, defaults_s in default_rows():
        cells = [_KINDS[kind], *(duration_text(one_s) for one_s in defaults_s)]
        yield "| " + " | ".join(cells) + " |\n"
    yield "\nNone is longer than `inbound.deadline`, and the first three not than the total.\n"


def _table(cls: type, path: str) -> Iterator[str]:
    """Yield the keys of a section as a table, and then each section below it."""
    yield "| key | what it may be | default | |\n|---|---|---|---|\n"
    sections: list[tuple[str, type]] = []
    for _, key, default in keys_of(cls):
        yield _row(key, default)
        inner = _section_in(key.kind)
        if inner is not None:
            sections.append((f"{path}{key.name}{_suffix(key.kind)}", inner))
    for name, inner in sections:
        yield f"\n### `{name}`\n\n{(inner.__doc__ or '').strip().partition(chr(10))[0]}\n\n"
        yield from _table(inner, f"{name}.")


def _row(key: Key, default: Any) -> str:
    doc = key.doc if key.acts else f"{key.doc} *Nothing acts on it in this version.*"
    what = _what(key.kind) + (", or `off`" if key.off else "")
    cells = (f"`{key.name}`", what, _default(key, default), doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(key: Key, default: Any) -> str:
    """Return the default as it would be written. Any: each kind has its own type."""
    if default is dataclasses.MISSING:
        return "required"
    if default is None:
        return "off" if key.off else "none"
    if isinstance(key.kind, Section):
        return "its own"
    if isinstance(key.kind, MapOf):
        return "none"
    if isinstance(key.kind, ListOf):
        items = key.kind.item
        assert not isinstance(items, Section | ListOf | MapOf) or not default
        return "`[" + ", ".join(str(value) for value in default) + "]`" if default else "none"
    return f"`{_text(key.kind.write(default))}`"


def _text(raw: Any) -> str:
    return str(raw).lower() if isinstance(raw, bool) else str(raw)


def _what(kind: Kind) -> str:
    if isinstance(kind, Section):
        short = next((key for _, key, _ in keys_of(kind.cls) if key.name == kind.shorthand), None)
        return "a section" + (f"; short: its `{short.name}`" if short else "")
    if isinstance(kind, ListOf):
        if kind.single:
            return f"{_what(kind.item)}; or a list of at most {kind.maximum} of these"
        return f"a list, at most {kind.maximum}, of: {_what(kind.item)}"
    if isinstance(kind, MapOf):
        return f"a mapping, at most {kind.maximum}, from {kind.name.what} to: {_what(kind.item)}"
    secret = "; may be a secret" if getattr(kind, "secret", False) else ""
    return kind.expected() + secret


def _section_in(kind: Kind) -> type | None:
    if isinstance(kind, Section):
        return kind.cls
    return _section_in(kind.item) if isinstance(kind, ListOf | MapOf) else None


def _suffix(kind: Kind) -> str:
    if isinstance(kind, MapOf):
        return ".NAME"
    return "[]" if isinstance(kind, ListOf) and not kind.single else ""
