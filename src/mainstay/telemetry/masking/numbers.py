"""Numbers of cards and of bank accounts within a text."""

import re

from mainstay.telemetry.masking.checksums import is_card, is_iban

_GAP = r"[ +._\u00a0-]|%20"
"""Between groups of a card's number, in prose and in forms."""

_CARD = re.compile(
    # Not the rest of a longer number, of a decimal one, nor of a UUID's groups.
    r"(?<![0-9A-Za-z])(?<![0-9][.-])"
    rf"(?:[0-9]{{13,19}}|[0-9]{{4}}({_GAP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}})?|"
    rf"[0-9]{{4}}({_GAP})[0-9]{{6}}\2[0-9]{{4,5}})"
    r"(?![0-9A-Za-z])(?![.-][0-9])"
)
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}(?![0-9A-Za-z])")
_IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}").search
_CARD_LIKE = re.compile(rf"[0-9]{{4}}(?:[0-9]{{9}}|(?:{_GAP})[0-9]{{4}})").search
_GAPS = str.maketrans("", "", " -")


def hide_numbers(text: str, mask: str) -> str:
    """Return ``text`` with ``mask`` instead of what is a card's or an account's number.

    Both have check digits, so that nine of ten numbers of orders that look like a card's stay, and
    99 of 100 that look like an account's.
    """
    if _CARD_LIKE(text) is not None:
        text = _CARD.sub(lambda found: _card_hidden(found[0], mask), text)
    if _IBAN_LIKE(text) is not None:
        text = _IBAN.sub(lambda found: _iban_hidden(found[0], mask), text)
    return text


def _card_hidden(found: str, mask: str) -> str:
    return mask if is_card(re.sub(_GAP, "", found)) else found


def _iban_hidden(found: str, mask: str) -> str:
    """Return ``found`` with ``mask`` for the number it begins with; words may follow it."""
    compact = found.translate(_GAPS)
    if is_iban(compact):
        return mask
    # A blank separates groups of an account's number as it separates it from the next word.
    parts = found.split(" ")
    for count in range(len(parts) - 1, 0, -1):
        if is_iban("".join(parts[:count]).translate(_GAPS)):
            return " ".join((mask, *parts[count:]))
    return found
