"""Text of others on a terminal: it is shown, and commands nothing."""

import re

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


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
