"""Values that raise, or lie, when they are looked at."""

from typing import Any


class EqRaises:
    __hash__ = None  # type: ignore[assignment]  # The case: as an array's.

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")


class EqIsNoBool(EqRaises):  # noqa: PLW1641  Python gives it none, as an array has none.
    def __eq__(self, other: object) -> Any:
        # Any: the case. Arrays answer with an array, which has no truth.
        return self

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


class TextRaises:
    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


class ClassRaises:
    @property  # type: ignore[misc]  # The case.
    def __class__(self) -> Any:
        raise RuntimeError("class")


class ClassIsDict:
    @property  # type: ignore[misc]  # The case.
    def __class__(self) -> Any:
        return dict


class OddText(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        return 1

    def __str__(self) -> str:
        raise RuntimeError("str")


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]  # The case.
        raise RuntimeError("name")


class NamelessError(Exception, metaclass=_Nameless):
    def __str__(self) -> str:
        raise type(self)

    __repr__ = __str__


VALUES: tuple[Any, ...] = (
    EqRaises(), EqIsNoBool(), TextRaises(), ClassRaises(), ClassIsDict(), OddText("abc"),
    NamelessError(), [TextRaises()], {"a": ClassRaises()}, {TextRaises(): 1}, float("nan"), 10**400,
)  # fmt: skip
