"""Callables that no policy can guard, since their call is not their work."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from mainstay.core.errors import PolicyMisused

GENERATOR = "a generator: it works while it is iterated; guard what it calls"


def is_generator_function(fn: object) -> bool:
    """Return whether a call of ``fn`` only makes a generator, or an asynchronous one."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    # An object is as its call is.
    return any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (fn, getattr(fn, "__call__", None))  # noqa: B004  It is not asked whether it can be called.
    )


def is_async(fn: Callable[..., Any]) -> bool:
    """Return whether a callable is a coroutine function, or an object whose call is one.

    Any: it is the user's.
    """
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(
        getattr(fn, "__call__", None)  # noqa: B004  As above.
    )


def refuse_unfit(fn: object) -> None:
    """Refuse what can't be decorated.

    Raises:
        PolicyMisused: It is a generator, a class, a class method, or can't be called.
    """
    what = None
    if isinstance(fn, classmethod):
        what = "a class method: put @classmethod above the policy"
    elif inspect.isclass(fn):
        what = "a class: guard its methods"
    elif not callable(fn):
        what = "no function"
    elif is_generator_function(fn):
        what = GENERATOR
    if what is not None:
        raise PolicyMisused(f"{fn!r} is {what}")
