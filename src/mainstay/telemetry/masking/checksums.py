"""Numbers that carry their own proof: of cards and of bank accounts. Pure."""

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Twice a digit, less 9 where that has two digits."""

_IBAN_CHARS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24,
    "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""By country. Source: ISO 13616, the IBAN registry."""

_LONG = range(16, 20)

_ISSUERS: tuple[tuple[int, int, int, range | tuple[int, ...]], ...] = (
    (1, 4, 4, (13, 16, 19)),
    (2, 51, 55, (16,)),
    (4, 2221, 2720, (16,)),
    (4, 2200, 2204, _LONG),
    (2, 34, 34, (15,)),
    (2, 37, 37, (15,)),
    (3, 300, 305, (14, 16)),
    (2, 36, 36, (14, 16)),
    (2, 38, 39, (14, 16)),
    (4, 3528, 3589, _LONG),
    (4, 6011, 6011, _LONG),
    (3, 644, 649, _LONG),
    (2, 65, 65, _LONG),
    (2, 62, 62, _LONG),
    (4, 5018, 5038, (16, 19)),
    (4, 6304, 6304, (16, 19)),
    (4, 6759, 6763, (16, 19)),
)
"""(digits of the prefix, its least, its greatest, lengths). Source: ISO/IEC 7812, the schemes' own
ranges. Moments since 1970 begin with a 1, which no card does."""


def is_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10 == 0


def is_card(digits: str) -> bool:
    """Return whether ASCII digits, without separators, are a number that a card may have."""
    length = len(digits)
    issued = any(
        least <= int(digits[:count]) <= greatest and length in lengths
        for count, least, greatest, lengths in _ISSUERS
    )
    return issued and is_luhn(digits)


def is_iban(text: str) -> bool:
    """Return whether upper-case letters and digits, without blanks, are an account's number.

    The remainder by 97 is 1, and the length is the country's (ISO 13616, ISO 7064).
    """
    if _IBAN_CHARS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1
