"""Text of others on a terminal: it is shown, and commands nothing."""

import json
import re
from typing import Any, Final

_COLOURS: Final = (
    "cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green",
)  # fmt: skip

ID_DIGITS: Final = 12
"""Of a trace id, where it is one word of many: `mainstay trace` and `logs --trace` take them for
the whole."""

_WHOLE_FROM: Final = 1e6

# Colours and the like of programs that believed in a terminal: dropped, since nothing is lost.
_STYLES = re.compile(r"\x1b\[[0-9;:]{0,64}m")


def plain(text: str) -> str:
    """Return text on one line whose every character is visible, or a space.

    Control characters, line ends, marks that turn the direction of writing, and halves of
    surrogates are written as escapes, as Python would.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else "  " if one == "\t" else _escaped(one)
        for one in _STYLES.sub("", text)
    )


def value_text(value: Any, *, quote: bool = True) -> str:
    """Return a value on one line. Any: what JSON has.

    Args:
        value: Of a field or an attribute.
        quote: Whether a text with a space in it gets quotes.
    """
    if isinstance(value, str) and not (quote and (" " in value or not value)):
        return plain(value)
    return plain(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def short_text(value: Any) -> str:
    """Return a value on one line, a number with as many digits as people read. Any: what JSON has.

    Args:
        value: Of an attribute.
    """
    # Six digits say as much as anybody can compare; whole numbers are shown whole.
    if isinstance(value, float) and abs(value) < _WHOLE_FROM:
        return f"{value:.6g}"
    return value_text(value)


def colour_of(name: str) -> str:
    """Return the colour of a service or replica: the same one everywhere."""
    return _COLOURS[sum(name.encode("utf-8", "replace")) % len(_COLOURS)]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
