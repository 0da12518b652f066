"""What counts as a failure of a dependency: errors and results, by type or by predicate."""

from collections.abc import Callable
from typing import Any

from mainstay.core.errors import CallRejected, ConfigInvalid, PolicyMisused

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""Types of errors, or a predicate of an error."""

Results = Callable[[Any], bool]
"""A predicate of a result. Any: the result is the user's."""

Matches = Callable[[BaseException], bool]

MISTAKES: tuple[type[BaseException], ...] = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
)
"""Mistakes of the program that calls. They say nothing about the dependency, and a retry makes
them again. ValueError is not among them: it is how many clients report an answer they can't read.
"""

_NO_FAILURE = (*MISTAKES, CallRejected, ConfigInvalid, PolicyMisused)


def is_failure(error: BaseException) -> bool:
    """Return whether an error is a failure of the dependency, where nobody says otherwise.

    Cancellation, the interpreter's end and the programmer's mistakes are not, nor is a call that
    an inner policy rejected before it left.
    """
    return isinstance(error, Exception) and not isinstance(error, _NO_FAILURE)


def matcher(on: Errors | None, ignore: Errors | None) -> Matches:
    """Return the predicate for ``on`` less ``ignore``.

    Whatever they say, only ``Exception`` and its subclasses match: cancellation never does.

    Args:
        on: What matches; None means ``is_failure``.
        ignore: What does not match nevertheless, or None.
    """
    if on is None and ignore is None:
        return is_failure
    matches = is_failure if on is None else _predicate(on)
    excluded = _never if ignore is None else _predicate(ignore)

    def match(error: BaseException) -> bool:
        return isinstance(error, Exception) and matches(error) and not excluded(error)

    return match


def is_errors(value: object) -> bool:
    """Return whether ``value`` can be an ``Errors``, or is None."""
    if value is None or isinstance(value, tuple):
        return value is None or all(
            isinstance(one, type) and issubclass(one, BaseException) for one in value
        )
    if isinstance(value, type):
        return issubclass(value, BaseException)
    return callable(value)


def _predicate(errors: Errors) -> Matches:
    if isinstance(errors, type | tuple):
        types = errors
        return lambda error: isinstance(error, types)
    return errors


def _never(error: BaseException) -> bool:
    del error
    return False
