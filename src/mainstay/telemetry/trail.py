"""An exception as a text of bounded length: what lines and spans say of it."""

import traceback

FRAMES_MAX = 50
"""Of each exception, the innermost: a recursion has a thousand that are all alike."""

CHARS_MAX = 16_384
"""Of the whole. The end says what happened, the beginning what caused it."""


def trail_of(
    error: BaseException, *, chars_max: int = CHARS_MAX, frames_max: int = FRAMES_MAX
) -> str:
    """Return the traceback of an error and of what caused it, as Python prints it; not yet masked.

    Args:
        error: Any.
        chars_max: Of a longer one, the beginning and the end.
        frames_max: The innermost ones, of each error of the chain.
    """
    try:
        formed = traceback.TracebackException.from_exception(error, limit=-frames_max, compact=True)
        text = "".join(formed.format()).rstrip("\n")
    except Exception as broken:  # noqa: BLE001  An error's own __str__ may raise anything.
        return f"{class_of(error)} can't be shown: {class_of(broken)}"
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    # Of a line that is cut in front, nobody could tell any more what is secret in it.
    end = text[-half:].partition("\n")[2]
    return f"{text[:half]}\n  ...\n{end}"


def class_of(value: object) -> str:
    """Return the name of a value's class, whatever the class says of itself."""
    # The descriptor of ``type``: a metaclass may have a ``__name__`` of its own, which may raise.
    name: str = _NAME.__get__(type(value))
    return name


_NAME = type.__dict__["__name__"]
