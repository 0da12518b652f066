"""The JSON Schema (draft 2020-12) of ``mainstay.yaml``, made from the keys.

For editors: ``# yaml-language-server: $schema=...`` on the first line of a file. It knows less than
the door, since sums and bounds of quantities and whole systems are beyond a schema, and never more:
what loads is valid.
"""

import dataclasses
from typing import Any

from mainstay.spec.declaration import Declaration
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import OFF, ON, Kind, ListOf, MapOf, Section
from mainstay.spec.reading.systemfile import SystemFile

Schema = dict[str, Any]
"""A JSON Schema. Any: its keywords take every JSON type."""

_INERT = " Read and checked; nothing acts on it in this version."
_INTERPOLATED: Schema = {"type": "string", "pattern": r"\$\{"}
_EMPTY: Schema = {"type": "null"}


def json_schema(*, overlay: bool = False) -> Schema:
    """Return the schema of a declaration, of a service or of a system.

    Args:
        overlay: Whether it is for ``mainstay.<env>.yaml``, where no key is required.
    """
    definitions: dict[str, Schema] = {}
    service = _section(Declaration, definitions, overlay=overlay)
    system = _section(SystemFile, definitions, overlay=overlay)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An overlay of a mainstay.yaml" if overlay else "mainstay.yaml",
        "description": "The declaration of one service, or of a system of services.",
        "if": {"type": "object", "required": ["system"]},
        "then": system,
        "else": service,
        "$defs": definitions,
    }


def _section(cls: type, definitions: dict[str, Schema], *, overlay: bool) -> Schema:
    """Return a reference to the schema of a section, defining it where that is still to do."""
    if cls.__name__ not in definitions:
        # The name is taken before its keys are described.
        definition: Schema = {}
        definitions[cls.__name__] = definition
        properties, required = {}, []
        for _, key, default in keys_of(cls):
            properties[key.name] = _key(key, default, definitions, overlay=overlay)
            if key.required and not overlay:
                required.append(key.name)
        definition["type"] = "object"
        definition["description"] = (cls.__doc__ or "").strip().partition("\n")[0]
        definition["properties"] = properties
        definition["additionalProperties"] = False
        if required:
            definition["required"] = required
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _key(key: Key, default: Any, definitions: dict[str, Schema], *, overlay: bool) -> Schema:
    """Return the schema of one key. Any: each kind's default has its own type."""
    options = _options(key.kind, definitions, overlay=overlay)
    if key.off:
        switches = [OFF, None, False]
        if key.turned_on(default) is not None:
            switches += [ON, True]
        options.append({"enum": switches})
    schema: Schema = {"description": key.doc + ("" if key.acts else _INERT)}
    if len(options) == 1:
        schema |= options[0]
    else:
        schema["anyOf"] = options
    if key.off and default is None:
        schema["default"] = OFF
    elif default is not None and not (
        default is dataclasses.MISSING or isinstance(key.kind, Section | ListOf | MapOf)
    ):
        schema["default"] = key.kind.write(default)
    return schema


def _options(kind: Kind, definitions: dict[str, Schema], *, overlay: bool) -> list[Schema]:
    """Return the forms that a value of the kind may have, of which one is enough."""
    if isinstance(kind, Section):
        options = [_section(kind.cls, definitions, overlay=overlay)]
        if kind.shorthand is not None:
            short = next(key for _, key, _ in keys_of(kind.cls) if key.name == kind.shorthand)
            options += _options(short.kind, definitions, overlay=overlay)
        return [*options, _EMPTY]
    if isinstance(kind, ListOf):
        options = _options(kind.item, definitions, overlay=overlay)
        array = {"type": "array", "items": _any_of(options), "maxItems": kind.maximum}
        return [*(options if kind.single else ()), array, _EMPTY]
    if isinstance(kind, MapOf):
        return [_map(kind, definitions, overlay=overlay), _EMPTY]
    return [kind.schema(), _INTERPOLATED]


def _map(kind: MapOf, definitions: dict[str, Schema], *, overlay: bool) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{kind.name.pattern})$"},
        "additionalProperties": _any_of(_options(kind.item, definitions, overlay=overlay)),
        "maxProperties": kind.maximum,
    }


def _any_of(options: list[Schema]) -> Schema:
    return options[0] if len(options) == 1 else {"anyOf": options}
