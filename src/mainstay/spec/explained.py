"""What holds for one dependency, and where each value came from. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainstay.spec.address import is_address, shown_address, told_address
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.health import CacheChecks, DatabaseChecks, Health, ServiceChecks
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import Kind, ListOf, MapOf, Section
from mainstay.spec.kinds.secret import Secret, reveal
from mainstay.spec.kinds.units import duration_text
from mainstay.spec.sources import Source
from mainstay.spec.timeouts import derived_text, derived_total_s, kind_of, resolve_timeouts

_OFF = "off"

# The order in which a call meets the parts, outer to inner; then what clients and health take.
_ORDER = (
    "service", "url", "criticality", "fallback", "timeout.total", "bulkhead", "rate_limit",
    "retry", "breaker", "timeout.attempt", "timeout.auto", "timeout.least",
    "hedge", "balance", "timeout",
    "excluded", "check",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value that holds.

    Attributes:
        key: Dotted, below the dependency.
        value: As it would be declared.
        source: ``file:line:column``, or ``default`` and what made it.
    """

    key: str
    value: str
    source: str


def explained(
    declaration: Declaration,
    name: str,
    sources: Mapping[str, Source],
    environ: Mapping[str, str],
) -> tuple[Line, ...]:
    """Return what holds for a dependency, in the order in which a call meets the parts.

    Args:
        declaration: Of the service that calls; it declares the dependency.
        name: The dependency's.
        sources: Of that service; see ``Loaded.sources``.
        environ: ``MAINSTAY_URL_<NAME>`` in it goes before what is declared.
    """
    dependency = dict(declaration.dependencies)[name]
    resolved = {
        **dict(_resolved(dependency, declaration.inbound.deadline_s)),
        **dict(_checked(dependency, declaration.inbound.health)),
    }
    lines = []
    for key, value in values_of(dependency, ""):
        source = sources.get(f"dependencies.{name}.{key}", Source())
        text, said = value, str(source)
        if value is None:
            text, said = resolved.get(key, (_OFF, said))
        assert text is not None, "what is not declared is resolved, or off"
        line = Line(key=key, value=text, source=said)
        lines.append(_in_effect(line, name, dependency, environ) if key == "url" else line)
    return tuple(sorted(lines, key=lambda line: _rank(line.key)))


def _in_effect(
    declared: Line, name: str, dependency: Dependency, environ: Mapping[str, str]
) -> Line:
    """Return where the dependency is, which the environment may say otherwise than declared."""
    told = told_address(name, dependency.service, environ)
    if told is None or told.url == (dependency.url and reveal(dependency.url)):
        return declared
    source, shown = told.variable, shown_address(told.url)
    if not is_address(told.url):
        # Not shown: where nothing says which part is a password, anything may be.
        source, shown = f"{told.variable}, so that no call can be made", "no URL"
    if dependency.url is not None:
        source += f", instead of {declared.value} ({declared.source})"
    return Line(key=declared.key, value=shown, source=source)


def _rank(key: str) -> int:
    above = key
    while above not in _ORDER:
        above = above.rpartition(".")[0]
    return _ORDER.index(above)


def values_of(section: Any, path: str) -> Iterator[tuple[str, str | None]]:
    """Yield each key below a section and its value as text, None where it has none.

    Args:
        section: Any, since each has a class of its own.
        path: In front of each key: empty, or with a dot at its end.
    """
    for field, key, _ in keys_of(type(section)):
        value, kind = getattr(section, field), key.kind
        if isinstance(kind, Section) and value is not None:
            yield from values_of(value, f"{path}{key.name}.")
        elif isinstance(kind, ListOf) and isinstance(kind.item, Section) and value:
            for index, one in enumerate(value):
                yield from values_of(one, f"{path}{key.name}[{index}].")
        else:
            yield f"{path}{key.name}", _text(value, key)


def _text(value: Any, key: Key) -> str | None:
    """Return a value as it would be declared; a secret is not shown. Any: each kind has its own."""
    if key.is_off(value):
        return None
    text = _flow(value, key.kind)
    # A URL may be declared with a password in it.
    return shown_address(text) if key.name == "url" else text


def _flow(value: Any, kind: Kind) -> str:
    """Return a value in one line of YAML. Any: as above."""
    match kind:
        case ListOf():
            return "[" + ", ".join(_flow(one, kind.item) for one in value) + "]"
        case MapOf():
            pairs = (f"{name}: {_flow(one, kind.item)}" for name, one in value)
            return "{" + ", ".join(pairs) + "}"
        case Section():
            raise AssertionError("a section within a map is not shown in one line")
        case _:
            if isinstance(value, Secret):
                return str(value)
            raw = kind.write(value)
            return str(raw).lower() if isinstance(raw, bool) else str(raw)


def _resolved(dependency: Dependency, deadline_s: float) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what holds where no timeout is declared, and what made it."""
    timeouts = resolve_timeouts(dependency, deadline_s=deadline_s)
    kind = kind_of(dependency)
    of_kind = f"default of {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    total = duration_text(timeouts.total_s)
    made = of_kind
    if derived_total_s(dependency) is not None:
        made = f"default: {derived_text(dependency)}"
    if timeouts.total_s == deadline_s:
        made += f", at most inbound.deadline {duration_text(deadline_s)}"
    yield "timeout.total", (total, made)
    yield "timeout.attempt", ("none", "default: the total bounds it")
    yield "timeout.least", ("none", "default: while any time is left")
    for name, one_s in (
        ("connect", timeouts.connect_s), ("read", timeouts.read_s), ("write", timeouts.write_s),
    ):  # fmt: skip
        made = of_kind + (", at most the total" if one_s == timeouts.total_s else "")
        yield f"timeout.{name}", (duration_text(one_s), made)
    yield "service", ("none", "default")
    yield "url", ("none", "default")
    yield "check.path", ("of its kind", "default")


def _checked(dependency: Dependency, health: Health) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what holds for its health check where nothing is declared, and what says so."""
    checks: ServiceChecks | DatabaseChecks | CacheChecks = health.databases
    group, timeout_s = "databases", health.databases.timeout_s
    match kind_of(dependency):
        case "service" | "api":
            checks, group, timeout_s = health.services, "services", health.timeout_s
        case "cache":
            checks, group, timeout_s = health.caches, "caches", health.caches.timeout_s
    said = f"inbound.health.{group}"
    yield (
        "check.timeout",
        (
            duration_text(timeout_s),
            "inbound.health.timeout" if group == "services" else said,
        ),
    )
    yield "check.interval", (duration_text(checks.interval_s), said)
    yield "check.failures", (str(checks.failures), said)
    yield "check.successes", (str(checks.successes), said)
