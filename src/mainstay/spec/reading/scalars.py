"""Plain scalars after YAML 1.2's core schema, as people mean them.

Only ``true`` and ``false`` are flags: ``no``, ``on`` and ``off`` stay text. Numbers are plain
decimal: ``1_000``, ``0777``, ``0x1f`` and ``12:30`` stay text, since each means different things
to different readers.
"""

import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_FLAGS = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})?\.?[0-9]{1,30}(?:[eE][-+]?[0-9]{1,3})?")


def resolve(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means. A number too long for any use stays text."""
    if text in _NULLS:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if ("." in text or "e" in text or "E" in text) and _FRACTION.fullmatch(text):
        return float(text)
    return text
