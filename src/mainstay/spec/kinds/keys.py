"""The keys of the declaration: each is a field of a frozen dataclass that says what it may be.

One truth for all: the door reads by it, ``dump`` writes by it, the JSON Schema and the reference
page are made from it.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mainstay.spec.kinds.kinds import Kind, Section

_METADATA = "mainstay.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section.

    Attributes:
        name: As written in YAML; the field's name may carry a unit (``deadline`` / ``deadline_s``).
        kind: What the value may be.
        doc: One sentence for people, with the source of the default where it has one.
        required: Whether it must be declared.
        off: Whether ``off`` (or null) may be declared, and is kept as ``without``.
        without: What the key is where it is off.
        stays: Why it can't be off, and what to write instead; None where ``off`` is any wrong word.
        acts: False where this version reads and checks the key but nothing acts on it yet; a set
            where something acts on these of its values.
    """

    name: str
    kind: Kind
    doc: str
    required: bool
    off: bool
    acts: bool | frozenset[str]
    without: Any = None
    stays: str | None = None

    def is_off(self, value: object) -> bool:
        """Return whether a value means that the key is off."""
        return value is None or (self.off and value == self.without)

    def turned_on(self, default: Any) -> Any:
        """Return what the key is when it is only turned on; None where that says too little.

        Any: each kind's values have their own type.

        Args:
            default: Of its field.
        """
        if default is not None and default is not dataclasses.MISSING:
            return default
        kind = self.kind
        if isinstance(kind, Section) and not any(one.required for _, one, _ in keys_of(kind.cls)):
            return kind.cls()
        return None


def key(
    name: str,
    kind: Kind,
    *,
    doc: str,
    default: Any = dataclasses.MISSING,
    off: bool = False,
    acts: bool | frozenset[str] = True,
    without: Any = None,
    stays: str | None = None,
) -> Any:
    """Declare a field; see ``Key``. Without a default the key is required.

    Any: dataclasses types a field as its annotation, which this function can't know.
    """
    bound = Key(
        name=name,
        kind=kind,
        doc=doc,
        required=default is dataclasses.MISSING,
        off=off,
        acts=acts,
        without=without,
        stays=stays,
    )
    # Defaults are immutable values, so one instance may serve every declaration.
    return dataclasses.field(default=default, metadata={_METADATA: bound})


def keys_of(cls: type) -> Iterator[tuple[str, Key, Any]]:
    """Yield (field name, key, default) of a section, in declared order.

    The default is ``dataclasses.MISSING`` for a required key.
    """
    for field in dataclasses.fields(cls):
        bound = field.metadata.get(_METADATA)
        if isinstance(bound, Key):
            yield field.name, bound, field.default
