"""Texts that an expression takes, made from the expression itself and a seed."""

import re
from collections.abc import Iterable
from importlib import import_module
from random import Random
from typing import Any

codes: Any = import_module("re._constants")
"""Private, and without types: nothing else tells what an expression is made of."""
_parser: Any = import_module("re._parser")
"""As `codes`."""

_REPEATS_MAX = 3
"""Beyond what is asked for."""

_ANY = "aZ0_-. =:'\"/"
_CATEGORIES = {
    codes.CATEGORY_DIGIT: "7",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_WORD: "w",
    codes.CATEGORY_NOT_DIGIT: "x",
    codes.CATEGORY_NOT_SPACE: "x",
    codes.CATEGORY_NOT_WORD: "-",
}


def example_of(pattern: re.Pattern[str], rng: Random) -> str:
    """Return a text that the expression takes, or nearly: what it looks around for is left out."""
    return _of(_parser.parse(pattern.pattern, pattern.flags), rng, {})


def _of(parsed: Iterable[tuple[Any, Any]], rng: Random, groups: dict[int, str]) -> str:
    # Any: a node of the parser, which has no types.
    return "".join(_node(code, argument, rng, groups) for code, argument in parsed)


def _node(code: Any, argument: Any, rng: Random, groups: dict[int, str]) -> str:  # noqa: C901, PLR0911  One for each kind of node.
    if code is codes.LITERAL:
        return chr(argument)
    if code is codes.NOT_LITERAL:
        return "x" if argument != ord("x") else "y"
    if code is codes.ANY:
        return rng.choice(_ANY)
    if code is codes.IN:
        return _one_of(argument, rng)
    if code is codes.BRANCH:
        return _of(rng.choice(argument[1]), rng, groups)
    if code is codes.SUBPATTERN:
        made = _of(argument[3], rng, groups)
        if argument[0] is not None:
            groups[argument[0]] = made
        return made
    if code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
        least, most, repeated = argument
        count = least + rng.randint(0, min(most - least, _REPEATS_MAX))
        return "".join(_of(repeated, rng, groups) for _ in range(count))
    if code is codes.GROUPREF:
        return groups.get(argument, "")
    if code is codes.ATOMIC_GROUP:
        return _of(argument, rng, groups)
    return ""


def _one_of(members: list[tuple[Any, Any]], rng: Random) -> str:
    if members[0][0] is codes.NEGATE:
        allowed = [one for one in _ANY if not any(_has(member, one) for member in members[1:])]
        return rng.choice(allowed or ["~"])
    code, argument = rng.choice(members)
    if code is codes.RANGE:
        return chr(rng.randint(*argument))
    return _CATEGORIES[argument] if code is codes.CATEGORY else chr(argument)


def _has(member: tuple[Any, Any], char: str) -> bool:
    code, argument = member
    if code is codes.RANGE:
        return bool(argument[0] <= ord(char) <= argument[1])
    if code is codes.CATEGORY:
        matches = {
            codes.CATEGORY_DIGIT: char.isdigit(),
            codes.CATEGORY_SPACE: char.isspace(),
            codes.CATEGORY_WORD: char.isalnum() or char == "_",
        }
        return matches.get(argument, False)
    return bool(ord(char) == argument)
