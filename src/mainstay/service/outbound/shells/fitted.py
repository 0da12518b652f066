"""Shells with the parameters of their function, instead of ``*args, **kwargs``.

Packing each call into a tuple and a dict, and unpacking them to call the function, is a fifth of
what a policy costs. Where all parameters of a function are known and required, its shell takes as
many, and passes them on one by one. Shells are compiled for each number of parameters; the names
are put in for each function.

What is unusual takes the general way, which does the same: defaults, keyword-only parameters,
a function's own ``*args``, and callables that are no plain functions.
"""

import ast
from collections.abc import Callable
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FunctionType
from typing import Any

PARAMETERS_MAX = 8
"""A function with more takes the general way: a shell is compiled for each number of them."""

FUNCTIONS_MAX = 1000
"""So many are remembered for each shape of plan; those that come later take the general way."""

Maker = Callable[..., Any]
"""From a policy and a function to the guarded function. Any: both are the user's."""


def fitting(
    shell: Maker, compiled: Callable[[int | None], FunctionType | None], *, fits: bool
) -> Maker:
    """Return a maker of shells, each of which fits its function as well as it can.

    Args:
        shell: A maker of shells that takes any function; where nothing better can be had.
        compiled: Returns the maker of shells that take so many parameters, None for any arguments;
            or None, when it can't be made just now.
        fits: Whether any shell may take its function's parameters.
    """
    known: dict[CodeType, Maker] = {}

    def make(policy: object, fn: object) -> Any:
        # Functions of the same code may differ in their defaults.
        if fits and type(fn) is FunctionType and fn.__defaults__ is None:
            return (known.get(fn.__code__) or learn(fn.__code__))(policy, fn)
        return (compiled(None) or shell)(policy, fn)

    def learn(code: CodeType) -> Maker:
        maker = None
        if _is_plain(code) and len(known) < FUNCTIONS_MAX:
            maker = compiled(code.co_argcount)
        if maker is None:
            return compiled(None) or shell
        known[code] = maker = named(maker, code)
        return maker

    return make


def _is_plain(code: CodeType) -> bool:
    return (
        code.co_argcount <= PARAMETERS_MAX
        and code.co_kwonlyargcount == 0
        and not code.co_flags & (CO_VARARGS | CO_VARKEYWORDS)
    )


def named(maker: FunctionType, code: CodeType) -> FunctionType:
    """Return ``maker`` for shells whose parameters are named as those of ``code``.

    A parameter may then have the name of a variable of the shell. That hurts nobody: names serve
    callers, and code goes by numbers.
    """
    count = code.co_argcount
    constants = [
        one.replace(
            co_varnames=code.co_varnames[:count] + one.co_varnames[count:],
            co_posonlyargcount=code.co_posonlyargcount,
        )
        if isinstance(one, CodeType)
        else one
        for one in maker.__code__.co_consts
    ]
    made = maker.__code__.replace(co_consts=tuple(constants))
    return FunctionType(made, maker.__globals__, maker.__name__, maker.__defaults__)


class Parameters(ast.NodeTransformer):
    """Gives a shell, the function within its maker, so many parameters in place of any.

    Args:
        count: Of the parameters.
    """

    def __init__(self, count: int) -> None:
        self._names = [f"parameter_{nth}" for nth in range(count)]

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        """Replace ``*args, **kwargs``; the maker's own parameters stay."""
        if node.vararg is None:
            return node
        return ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in self._names], vararg=None,
            kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[],
        )  # fmt: skip

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Pass the parameters on one by one, where all arguments were."""
        if [ast.unparse(one) for one in node.args] == ["*args"]:
            node.args = list(self._loaded())
            node.keywords = []
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Make what is left of ``args`` and ``kwargs``, for those who keep them."""
        if node.id == "args":
            return ast.copy_location(ast.Tuple(self._loaded(), ast.Load()), node)
        if node.id == "kwargs":
            return ast.copy_location(ast.Dict(keys=[], values=[]), node)
        return node

    def _loaded(self) -> list[ast.expr]:
        return [ast.Name(name, ast.Load()) for name in self._names]
