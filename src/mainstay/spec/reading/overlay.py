"""Overlays: ``mainstay.<env>.yaml`` over ``mainstay.yaml``, node by node, places kept.

Mappings are merged key by key; lists and scalars are replaced. A shorthand counts as the mapping
that it stands for: ``edge: 8080`` under ``edge: {host: 0.0.0.0}`` keeps its port.
"""

from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import OFF, ON, Kind, ListOf, MapOf, Raw, Section
from mainstay.spec.reading.document import Entry, Mapping, Node, Scalar, Sequence
from mainstay.spec.reading.scalars import resolve


def merged(base: Node, over: Node, kind: Kind) -> Node:
    """Return ``over`` laid over ``base``, both of ``kind``."""
    if isinstance(kind, ListOf) and not (isinstance(base, Sequence) or isinstance(over, Sequence)):
        # Only where an item may stand for a list of one; elsewhere it is a fault, found later.
        kind = kind.item
    if isinstance(kind, Section):
        base, over = expanded(base, kind), expanded(over, kind)
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    entries = {entry.name: entry for entry in base.entries}
    for entry in over.entries:
        under = entries.get(entry.name)
        if under is None:
            entries[entry.name] = entry
            continue
        child = _child(kind, entry.name)
        value = entry.value if child is None else merged(under.value, entry.value, child)
        entries[entry.name] = Entry(name=entry.name, place=entry.place, value=value)
    return Mapping(place=base.place, entries=tuple(entries.values()))


def expanded(node: Node, kind: Section) -> Node:
    """Return the mapping that a shorthand stands for; anything else as it is."""
    if kind.shorthand is None or isinstance(node, Mapping) or is_switch(node):
        return node
    entry = Entry(name=kind.shorthand, place=node.place, value=node)
    return Mapping(place=node.place, entries=(entry,))


def is_switch(node: Node) -> bool:
    """Return whether a node turns a key on or off and says nothing else."""
    if not isinstance(node, Scalar):
        return False
    raw = bare(node)
    return means_on(raw) or means_off(raw)


def means_off(raw: Raw) -> bool:
    """Return whether a value turns a key off: ``off``, null, or ``false``.

    The last is what readers of YAML 1.1 make of ``off``, and so do the programs that write it.
    """
    return raw is None or raw is False or raw == OFF


def means_on(raw: Raw) -> bool:
    """Return whether a value turns a key on, and leaves to its defaults what that means."""
    return raw is True or raw == ON


def is_null(node: Node) -> bool:
    """Return whether a node is null, or nothing at all."""
    return isinstance(node, Scalar) and bare(node) is None


def bare(node: Scalar) -> Raw:
    """Return what a scalar says as it stands, before ``${NAME}``: quotes make it a text."""
    return resolve(node.text) if node.plain else node.text


def _child(kind: Kind, name: str) -> Kind | None:
    """Return the kind of one key of a structure, or None where the key is unknown."""
    if isinstance(kind, MapOf):
        return kind.item
    if isinstance(kind, Section):
        known: dict[str, Key] = {key.name: key for _, key, _ in keys_of(kind.cls)}
        return known[name].kind if name in known else None
    return None
