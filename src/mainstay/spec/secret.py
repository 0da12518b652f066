"""Secrets: a text that is known to the process and to nobody who prints it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A text with at least one part that came from ``${file:...}``.

    Printing, comparing by eye, pickling into a report: all show ``reference``, never the value.

    Attributes:
        reference: The text as declared, with its ``${file:/run/secrets/x}`` in place.
    """

    reference: str
    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the text with the secret in it. Call it at the last moment, print it never."""
        return self._value

    def __str__(self) -> str:
        return self.reference

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A pickle is an output like any other.
        return (str, (self.reference,))


def reveal(text: str | Secret) -> str:
    """Return the text itself, or what a secret hides."""
    return text.reveal() if isinstance(text, Secret) else text
