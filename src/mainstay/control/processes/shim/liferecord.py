# ruff: noqa: PTH104, PTH108  pathlib would cost every shim a megabyte.
"""The record of one child's life, a small JSON file: that it runs, then how it ended.

Written by atomic rename, so that a reader finds one or the other, whole. While the child runs it
has the numbers by which a daemon that knows nothing else finds it again.
"""

import os

LINES_MAX = 20
"""Lines of output in the record of an end."""

LINE_CHARS_MAX = 400
"""A longer line is cut: the record is for a diagnosis, the log has the rest."""

OBJECT_CHARS_MAX = 20_000
"""Of a line in JSON, which says nothing any more once it is cut: its exception is at its end."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def write(path: bytes, fields: dict[str, object]) -> bool:
    """Put ``fields`` into ``path``; False if the disk refuses, and ``path`` is as it was."""
    temporary = path + b".tmp"
    data = json_text(fields).encode("ascii")
    try:
        fd = os.open(temporary, _FLAGS, 0o600)
        try:
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError:
        _remove(temporary)
        return False
    return True


def json_text(value: object) -> str:
    """Return ``value`` as JSON in ASCII; importing ``json`` would cost every shim half a megabyte.

    Takes None, whole and finite numbers, texts, and lists and dicts of those.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, dict):
        pairs = (f"{json_text(str(key))}: {json_text(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    assert isinstance(value, int | float)
    return repr(value)


def last_lines(tail: bytes, *, lines_max: int = LINES_MAX) -> list[str]:
    """Return the last lines of the child's output, at most ``lines_max`` of bounded length."""
    # Separators other than a newline (form feed, U+2028) do not end a line of a log.
    lines = tail.decode("utf-8", "replace").rstrip("\n").split("\n")
    return [_bounded(line.rstrip("\r")) for line in lines[-lines_max:]] if tail else []


def _bounded(line: str) -> str:
    return line[: OBJECT_CHARS_MAX if line.startswith("{") else LINE_CHARS_MAX]


def _escaped(text: str) -> str:
    plain = []
    for char in text:
        if " " <= char <= "~" and char not in '"\\':
            plain.append(char)
            continue
        units = char.encode("utf-16-be", "surrogatepass")
        plain += [f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)]
    return "".join(plain)


def _remove(path: bytes) -> None:
    try:
        os.unlink(path)
    except OSError:
        # It was never made, or its folder is gone.
        return
