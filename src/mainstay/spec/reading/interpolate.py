"""``${NAME}``, ``${NAME:-default}`` and ``${file:/run/secrets/x}`` in the texts of a declaration.

``$${`` stands for ``${`` itself. A text that holds a file becomes a ``Secret``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstay.spec.faults import printable
from mainstay.spec.kinds.kinds import SECRET_MAX
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.reading.document import SCALAR_MAX
from mainstay.spec.reading.files import Unreadable, read_bounded

_PART = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,127})(:-(.*))?", re.DOTALL)
_FILE = "file:"

ReadSecret = Callable[[str], str]
"""Takes what stands after ``file:``; returns what the file holds, or raises Unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpolated:
    """What a text became.

    Attributes:
        value: The text, or a secret where a file stands in it.
        whole: Whether the text was one interpolation and nothing else, so that its value may be a
            number or a flag.
        outside: Whether any part came from outside the file, so that faults must not show it.
        sentences: What is wrong, one for each part; ``value`` means nothing then.
    """

    value: str | Secret
    whole: bool
    outside: bool
    sentences: tuple[str, ...]


def interpolate(
    text: str, *, environ: Mapping[str, str], read_secret: ReadSecret | None
) -> Interpolated:
    """Return ``text`` with its interpolations resolved.

    Args:
        text: The text as declared.
        environ: The environment that names come from.
        read_secret: Reads the files of secrets; None where a secret may not stand.
    """
    pieces: list[str] = []
    sentences: list[str] = []
    whole = secret = outside = False
    end = length = 0
    for part in _PART.finditer(text):
        pieces.append(text[end : part.start()])
        end = part.end()
        if part[0] == "$${":
            pieces.append("${")
            continue
        outside = True
        whole = part[0] == text
        try:
            pieces.append(_resolved(part[1], environ, read_secret))
        except Unreadable as error:
            sentences.append(str(error))
        secret = secret or (part[1] or "").startswith(_FILE)
        length += len(pieces[-1]) if pieces else 0
        if length > SCALAR_MAX:
            sentences.append(f"becomes longer than {SCALAR_MAX} characters")
            break
    value = "".join([*pieces, text[end:]])
    return Interpolated(
        value=Secret(text, value) if secret else value,
        whole=whole,
        outside=outside,
        sentences=tuple(sentences),
    )


def escaped(text: str) -> str:
    """Return what must be declared so that ``interpolate`` gives ``text``."""
    return text.replace("${", "$${")


def _resolved(inner: str | None, environ: Mapping[str, str], read_secret: ReadSecret | None) -> str:
    """Return what stands for one ``${inner}``, or raise Unreadable with a sentence."""
    if inner is not None and inner.startswith(_FILE):
        if read_secret is None:
            raise Unreadable("a secret may not stand here, since it would be shown")
        return read_secret(inner.removeprefix(_FILE))
    match = _NAME.fullmatch(inner) if inner is not None else None
    if match is None:
        raise Unreadable(
            "${ begins no interpolation: ${NAME}, ${NAME:-default} and ${file:PATH} are known; "
            "write $${ for the text itself"
        )
    name, default_declared, default = match[1], match[2], match[3]
    value = environ.get(name)
    # As in a shell, :- also stands in for an empty value.
    if default_declared is not None and not value:
        return str(default)
    if value is None:
        raise Unreadable(f"{name} is not set in the environment, and no default is declared")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise Unreadable(f"the value of {name} in the environment is not UTF-8")
    return value


def secret_reader(folder: Path) -> ReadSecret:
    """Return a reader of secrets whose relative paths begin at ``folder``.

    It takes off one line end, and raises ``Unreadable`` for a file that is missing, forbidden, not
    regular, larger than ``SECRET_MAX`` bytes, or not UTF-8; the message holds nothing of it.
    """

    def read(written: str) -> str:
        shown = printable(written, maximum=200)
        if not written:
            raise Unreadable("${file:} names no file")
        try:
            data = read_bounded(folder / written, maximum=SECRET_MAX)
        except Unreadable as error:
            raise Unreadable(f"the secret's file {shown} can't be read: {error}") from None
        if len(data) > SECRET_MAX:
            raise Unreadable(f"the secret's file {shown} is larger than 64 KiB")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            # Without a cause: the decoder's error holds the bytes.
            raise Unreadable(f"the secret's file {shown} is not UTF-8 text") from None
        return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")

    return read
