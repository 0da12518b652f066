"""A strict reader of structured fields (RFC 9651), as far as lists of strings need it."""

import re

_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_PARAMETER = re.compile(r";\x20*([a-z*][a-z0-9_.*-]*)(?:=(-?[0-9]{1,15}))?(?![0-9.])")
_COMMA = re.compile(r"[ \t]*,[ \t]*")

Item = tuple[str, dict[str, int]]


def strings(field: bytes) -> list[Item]:
    """Read a list of strings whose parameters are integers.

    Raises:
        ValueError: It is none.
    """
    text, at, items = field.decode("ascii"), 0, []
    while True:
        string = _STRING.match(text, at)
        if string is None:
            raise ValueError(f"no string at {at}: {text}")
        at = string.end()
        parameters = {}
        while parameter := _PARAMETER.match(text, at):
            parameters[parameter[1]] = int(parameter[2] or 1)
            at = parameter.end()
        items.append((re.sub(r"\\(.)", r"\1", string[1]), parameters))
        if at == len(text):
            return items
        comma = _COMMA.match(text, at)
        if comma is None:
            raise ValueError(f"no comma at {at}: {text}")
        at = comma.end()
