"""From values back to YAML: what differs from the defaults, as the door reads it."""

import os
from typing import Any

import yaml

from mainstay.spec.declaration import Declaration, System
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import OFF, Kind, ListOf, MapOf, Section
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.reading.interpolate import escaped
from mainstay.spec.reading.systemfile import SystemFile

_WIDTH = 10_000
"""Characters of a line before the writer would fold it; no text of a declaration is folded."""


class _Off:
    """Stands for ``off`` without quotes."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper, for readers of YAML 1.1 too: what they would misread is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never write an alias: people repeat themselves. Any: PyYAML asks for every value."""
        del data
        return True

    def write_off(self, data: _Off) -> yaml.ScalarNode:
        """Write ``off`` plainly; readers of YAML 1.1 take it as false, which means the same."""
        del data
        return self.represent_scalar("tag:yaml.org,2002:bool", OFF)


_Dumper.add_representer(_Off, _Dumper.write_off)


def dump(declaration: Declaration) -> str:
    """Return the YAML of one service, which loads back as an equal declaration.

    Defaults are left out. A secret is written as its reference; everything else that was
    interpolated is written as the value that it had.
    """
    return _yaml(_written_section(declaration))


def dump_system(system: System) -> str:
    """Return the YAML of a system's file; of a lone service, that of the service."""
    if len(system.members) == 1 and system.members[0].folder == system.root:
        return dump(system.members[0].declaration)
    folders = tuple(os.path.relpath(member.folder, system.root) for member in system.members)
    return _yaml(_written_section(SystemFile(folders=folders, name=_declared_name(system))))


def _declared_name(system: System) -> str | None:
    return None if system.name == system.root.name else system.name


def _yaml(data: dict[str, Any]) -> str:
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    assert isinstance(text, str), "without a stream, PyYAML returns the text"
    return text


def _written_section(section: Any) -> dict[str, Any]:
    """Return the keys that differ from their defaults. Any: raw YAML values, to be dumped."""
    written: dict[str, Any] = {}
    for field, key, default in keys_of(type(section)):
        value = getattr(section, field)
        if value != default:
            written[key.name] = _written_key(value, key)
    return written


def _written_key(value: Any, key: Key) -> Any:
    return _Off() if key.is_off(value) else _written(value, key.kind)


def _written(value: Any, kind: Kind) -> Any:
    """Return the raw YAML value for a value of a kind. Any: each kind has its own types."""
    if isinstance(kind, Section):
        return _written_section(value)
    if isinstance(kind, ListOf):
        items = [_written(item, kind.item) for item in value]
        return items[0] if kind.single and len(items) == 1 else items
    if isinstance(kind, MapOf):
        return {name: _written(item, kind.item) for name, item in value}
    if isinstance(value, Secret):
        return value.reference
    raw = kind.write(value)
    if isinstance(raw, list):
        return [escaped(word) for word in raw]
    return escaped(raw) if isinstance(raw, str) else raw
