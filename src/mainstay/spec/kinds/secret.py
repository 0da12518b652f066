"""Secrets: a text that is known to the process and to nobody who prints it."""


class Secret:
    """A text with at least one part that came from ``${file:...}``.

    Printing, formatting, pickling, ``dataclasses.asdict``: all show ``reference``, never the value.
    Not a dataclass, since ``asdict`` would take one apart.

    Attributes:
        reference: The text as declared, with its ``${file:/run/secrets/x}`` in place.
    """

    __slots__ = ("_value", "reference")

    reference: str
    _value: str

    def __init__(self, reference: str, _value: str) -> None:
        object.__setattr__(self, "reference", reference)
        object.__setattr__(self, "_value", _value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a secret is immutable")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self.reference, self._value) == (other.reference, other._value)

    def __hash__(self) -> int:
        return hash((self.reference, self._value))

    def reveal(self) -> str:
        """Return the text with the secret in it. Call it at the last moment, print it never."""
        return self._value

    def __str__(self) -> str:
        return self.reference

    def __format__(self, form: str) -> str:
        return format(self.reference, form)

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A pickle is an output like any other.
        return (str, (self.reference,))


def reveal(text: str | Secret) -> str:
    """Return the text itself, or what a secret hides."""
    return text.reveal() if isinstance(text, Secret) else text
