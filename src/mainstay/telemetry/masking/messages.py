"""Values that libraries write into the messages of their errors, far from the names they belong to.

Pure. Each rule is looked for by a word without which it can't apply.
"""

import re
from collections.abc import Callable

Hides = Callable[[str], bool]

_INPUT = re.compile(
    # pydantic: the place on a line of its own, the value at the end of the next; or in one line.
    r"(?:(?<=\\n)|(?<!\S))([^\s\\]{1,255}+)((?:[\n ]|\\{1,7}n)  (?=\S)[^\n]{0,1024}?\binput_value=)"
    # To where the line ends like this: within, the value may say the same.
    r"(?:[^\n]*?(?=, input_type=\w{1,64}\](?:\n|\\{1,7}n|\s?\Z))|[^\n]*)"
)
_PLACE = re.compile(
    # The same as plain values, of pydantic and of whoever answers with them.
    r"""(["']loc["']: ?[(\[]([^)\]\n]{0,255}+)[)\]](?:(?!["']loc["']).){0,1024}?["']input["']: ?)"""
    r"""("(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[^,}\s]+)""",
    re.DOTALL,
)
_PARAMETERS = re.compile(
    # SQLAlchemy: by position, so that no name tells what they are. By name, pairs are read.
    r"""((?:\[parameters: |\[(?:generated in|cached since|no key|raw sql|caching disabled|"""
    r"""insertmanyvalues)[^\]\n]{0,64}+\] ))(?=\[?\(|\[["'\d])[^\n]*"""
)
_KEY = re.compile(
    # PostgreSQL: a unique constraint or a foreign key.
    r"(\b[Kk]ey \(([^\n]{1,255}?)\)=\()"
    r"(?:[^\n]*(?=\) (?:already exists|is not|is still|conflicts))|[^\n]*)"
)
_ROW = re.compile(r"(\bFailing row contains )\([^\n]*")
_ENTRY = re.compile(
    # MySQL likewise.
    r"(\bDuplicate entry ')((?:[^'\\\n]|\\.){0,1024}+)(?=' for key '([^'\n]{1,255}+)')"
)
_LITERAL = re.compile(
    r"(\b(?:PASSWORD|IDENTIFIED (?:WITH \S{1,64} )?BY)\s{1,3})'(?:[^'\\]|''|\\.?)*+(?:'|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_INSERT = re.compile(
    r"(\b(?:INSERT|REPLACE)\s{1,3}INTO\s{1,3}[^\s(]{1,128}+\s{0,3}\(([^()]{1,2048}+)\)\s{0,3}"
    r"VALUES\s{0,3})(\([^\n]*)",
    re.IGNORECASE,
)
_STRING = re.compile(r"'(?:[^'\\]|''|\\.?)*+(?:'|\Z)", re.DOTALL)
_NAME = re.compile(r"[\w-]{1,128}")


def hide_messages(text: str, mask: str, hides: Hides) -> str:
    """Return ``text`` with ``mask`` instead of values that a library's message tells.

    Where the message names what the value belongs to (a field, a column), that decides; where it
    tells values by their position alone, all of them are hidden.
    """
    if "input_value=" in text:
        text = _INPUT.sub(lambda found: _placed(found, mask, hides), text)
    if "loc" in text and "input" in text:
        text = _PLACE.sub(lambda found: _located(found, mask, hides), text)
    if "] (" in text or "] [" in text or "[parameters: " in text:
        text = _PARAMETERS.sub(
            lambda found: found[1] + mask + ("]" if found[1].startswith("[parameters") else ""),
            text,
        )
    if "ey (" in text:
        text = _KEY.sub(
            lambda found: found[1] + mask if _any_of(found[2], hides) else found[0], text
        )
    if "Failing row" in text:
        text = _ROW.sub(rf"\g<1>({mask}).", text)
    if "Duplicate entry" in text:
        text = _ENTRY.sub(
            lambda found: found[1] + mask if _any_of(found[3], hides) else found[0], text
        )
    return _statements(text, mask, hides) if "'" in text else text


def _statements(text: str, mask: str, hides: Hides) -> str:
    """Return ``text`` without the literals of statements that set a secret."""
    text = _LITERAL.sub(rf"\g<1>'{mask}'", text)
    return _INSERT.sub(
        lambda found: (
            found[1] + _STRING.sub(f"'{mask}'", found[3]) if _any_of(found[2], hides) else found[0]
        ),
        text,
    )


def _any_of(names: str, hides: Hides) -> bool:
    return any(map(hides, _NAME.findall(names)))


def _placed(found: re.Match[str], mask: str, hides: Hides) -> str:
    return f"{found[1]}{found[2]}{mask}" if _any_of(found[1], hides) else found[0]


def _located(found: re.Match[str], mask: str, hides: Hides) -> str:
    return f"{found[1]}'{mask}'" if _any_of(found[2], hides) else found[0]
