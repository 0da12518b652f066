"""``Masker``: the one function through which everything passes that leaves the process."""

import re
from collections.abc import Mapping
from math import isfinite
from string import hexdigits
from typing import Any

from mainstay.telemetry.masking import tokens
from mainstay.telemetry.masking.checksums import is_card
from mainstay.telemetry.masking.keys import is_secret, words_of
from mainstay.telemetry.masking.messages import hide_messages
from mainstay.telemetry.masking.numbers import hide_numbers
from mainstay.telemetry.masking.pairs import hide_pairs
from mainstay.telemetry.masking.people import hide_people
from mainstay.telemetry.masking.plain import plain_of

MASKED = "***"

TEXT_CHARS_MAX = 65_536
"""Of one text; what is beyond is cut. A line of a log is no place for documents."""

_OVERLAP_CHARS = 4096
"""Looked at beyond the bound, so that a secret across it is seen whole."""

_NAMES_MAX = 4096
"""Names of keys that are remembered; then all are forgotten, so that strangers fill no memory."""

_SHORT_CHARS = 13
"""No number of a card and no token is shorter."""

_NUMBER_MIN = 10 ** (_SHORT_CHARS - 1)
_CARD_DIGITS_MAX = 19
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
"""Wider ones no reader of JSON is sure to take; they are written as texts."""

_BITS_MAX = 4096
_UUID = b"00000000-0000-0000-0000-000000000000"
_UUID_CHARS = len(_UUID)
_ZEROS = bytes(ord("0") if chr(byte) in hexdigits else byte for byte in range(256))
"""Makes every hex digit a zero, so that whatever has the form of a UUID is ``_UUID``."""

HUGE_NUMBER = "(a huge number)"

_WORD = r"[0-9A-Za-z_-]"
_AHEAD = (
    # One look at a word's first character tells nearly all of them off, whatever follows.
    r"[-0-9bB](?:[0-9]{3}(?:[ +._\u00a0]|%20)[0-9]|-(?:[A-Za-z]|---[BE])|"
    r"(?:earer|EARER|asic|ASIC) )"
)
# The last: PASSWORD '...', IDENTIFIED BY '...', VALUES (...).
_BETWEEN = r"%(?:40|3[ADad])|</|[\"'],| (?:'(?<=[DdYy] ')|\((?<=[Ss] \())"
_gate = re.compile(
    # Word for word and without a step back, which is twice as fast as to search: to the first long
    # word, or the first sign without which none of the rules applies.
    rf"(?:(?!{_AHEAD}){_WORD}{{0,12}}+(?!{_BETWEEN})[^0-9A-Za-z_@=:-])*+"
    rf"(?:{_WORD}{{{_SHORT_CHARS}}}|{_WORD}{{0,12}}(?:[@=:]|{_BETWEEN})|{_AHEAD})"
).match
"""Finds what may need a closer look, which most texts have nowhere."""

_is_id = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|"
    r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128}"
).fullmatch


class Masker:
    """Hides secrets and personal data, by the names of keys and by their shape.

    Bounded in depth, size and time: every expression is linear in the text, which
    ``tests/telemetry/masking/test_linear.py`` counts. Safe to share between
    threads and tasks.

    Args:
        keys: Further names of keys whose values are hidden, in any spelling; ``iban`` covers
            ``customer_iban`` and ``customerIban``.
    """

    __slots__ = ("_further", "_known")

    def __init__(self, keys: tuple[str, ...] = ()) -> None:
        self._further = frozenset(words for words in map(words_of, keys) if words)
        # Name of a key -> whether its value is secret.
        self._known: dict[str, bool] = {}

    def hides(self, key: str) -> bool:
        """Return whether the value of ``key`` is hidden whatever it is."""
        secret = self._known.get(key)
        if secret is None:
            secret = is_secret(key, self._further)
            # A key that is a secret itself stays unknown, so that it is looked at each time.
            if self.text(key) == key:
                if len(self._known) >= _NAMES_MAX:
                    self._known.clear()
                self._known[key] = secret
        return secret

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets that its shape shows, at most TEXT_CHARS_MAX long."""
        if len(text) < _SHORT_CHARS:
            if "@" not in text and "=" not in text and ":" not in text:
                return text
        elif _gate(text) is None:
            return text if len(text) <= TEXT_CHARS_MAX else _cut(text, TEXT_CHARS_MAX)
        elif _is_id(text) is not None:
            # Most of the long words are UUIDs and hashes, too long for cards.
            return text
        return self._scrubbed(text, TEXT_CHARS_MAX)

    def beginning(self, text: str, chars_max: int) -> str:
        """Return the first characters of a long text, at the cost of little more than those.

        Args:
            text: As ``text`` takes it.
            chars_max: Of what is returned, "..." not counted.
        """
        return self._scrubbed(text, chars_max)

    def identifier(self, text: str) -> str:
        """Return what ``text`` returns; most ids that others give are UUIDs, seen at a tenth."""
        if len(text) == _UUID_CHARS and text.isascii() and text.encode().translate(_ZEROS) == _UUID:
            return text
        return self.text(text)

    def value(self, key: str, value: object) -> object:
        """Return what may be shown of the value of ``key``: plain values, for any format.

        Of a key that means a secret, nothing but MASKED; absence (None, False, "") is no secret.

        Returns:
            None, a bool, int, float or str, or lists and dicts of those.
        """
        if self.hides(key):
            kind = type(value)
            if value is None or kind is bool:
                return value
            # Others may say anything when they are asked whether they are empty.
            return "" if (kind is str or kind is bytes) and not value else MASKED
        return self.shown(value)

    def label(self, key: str, value: str) -> str:
        """Return what may be shown of a text, as ``value``; a text likewise."""
        return self.text(value) if not value or not self.hides(key) else MASKED

    def shown(self, value: object) -> object:
        """Return what may be shown of a value that has no key; as ``value``."""
        kind = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]  # The line above says so.
        if kind is int:
            return value if -_NUMBER_MIN < value < _NUMBER_MIN else self._number(value)  # type: ignore[arg-type]  # As above.
        if kind is float:
            # JSON has no word for what is no number, or none that is finite.
            return value if isfinite(value) else str(value)  # type: ignore[arg-type]  # As above.
        if kind is bool or value is None:
            return value
        return plain_of(value, self)

    def mapping(
        self, fields: Mapping[str, Any]
    ) -> dict[str, object]:  # Any: the type is looked at.
        """Return what may be shown of a mapping: of its values, and of its keys.

        Two keys of which nothing may be shown become one.
        """
        known, text = self._known, self.text
        masked: dict[str, object] = {}
        for key, value in fields.items():
            kind = type(value)
            if known.get(key, True):
                # Not seen before, or a secret.
                name = str(key)
                masked[text(name)] = self.value(name, value)
            elif kind is str:
                masked[key] = (
                    value if len(value) < _SHORT_CHARS and value.isalnum() else text(value)
                )
            elif (
                kind is bool
                or (kind is int and -_NUMBER_MIN < value < _NUMBER_MIN)
                or (kind is float and isfinite(value))
            ):
                # What ``shown`` would say, without asking it.
                masked[key] = value
            else:
                masked[key] = self.shown(value)
        return masked

    def _number(self, value: int) -> object:
        """Return a whole number, unless it is that of a card; one beyond 64 bits as a text."""
        if not _INT_MIN <= value <= _INT_MAX:
            return str(value) if value.bit_length() <= _BITS_MAX else HUGE_NUMBER
        digits = str(abs(value))
        return MASKED if len(digits) <= _CARD_DIGITS_MAX and is_card(digits) else value

    def _scrubbed(self, text: str, chars_max: int) -> str:
        """Return ``text`` after every rule has looked at it, those first that see the most."""
        window = text[: chars_max + _OVERLAP_CHARS]
        if "PRIVATE KEY" in window:
            window = tokens.hide_private_keys(window, MASKED)
        window = tokens.hide_schemes(window, MASKED)
        window = hide_messages(window, MASKED, self.hides)
        window = hide_pairs(window, MASKED, self.hides)
        window = tokens.hide_tokens(window, MASKED)
        if ":AA" in window:
            window = tokens.hide_bots(window, MASKED)
        if "hook" in window:
            window = tokens.hide_hooks(window, MASKED)
        if "?" in window:
            window = tokens.hide_codes(window, MASKED)
        if "@" in window or "%40" in window:
            window = hide_people(window, MASKED)
        window = hide_numbers(window, MASKED)
        if len(text) > chars_max + _OVERLAP_CHARS:
            # Masks are shorter than secrets: what was cut in two may have come near.
            return _cut(window, min(chars_max, len(window) - _OVERLAP_CHARS))
        return window if len(text) <= chars_max else _cut(window, chars_max)


def _cut(text: str, chars_max: int) -> str:
    return f"{text[: max(chars_max, 0)]}..."
