"""Shells without the questions that their plan has answered already.

A shell asks its plan at each call which parts it has: a dozen questions whose answers are known
when the plan is made, and which cost as much as the parts. So the shell's own source is compiled
once more for each shape of plan, with the answers in the place of the questions; the compiler
then leaves out the branches that are never taken. Line numbers stay those of the source.

The shells that this makes also take the parameters of their function; see ``fitted``.

Where the source is not at hand (a frozen program), the shell is used as it is: it does the same.
"""

import ast
import inspect
import os
import textwrap
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

from mainstay.service.outbound.plan import FACTS, Plan, Shape
from mainstay.service.outbound.shells.fitted import Maker, Parameters, fitting

S = TypeVar("S", bound=Callable[..., Any])

# Bounded by the shapes that there can be; a service has a few.
_MADE: dict[tuple[Maker, Shape], Maker] = {}
_MAKING = threading.Lock()


def _in_child() -> None:
    # The thread that held it may not exist in this process.
    global _MAKING  # noqa: PLW0603  There is one compiler in a process.
    _MAKING = threading.Lock()


os.register_at_fork(after_in_child=_in_child)


def specialised(shell: S, plan: Plan) -> S:
    """Return ``shell`` for plans of the shape of ``plan``.

    Args:
        shell: A function of (policy, fn, shape) whose body asks about ``plan`` and ``shape``.
        plan: One of those that it will run.
    """
    made = _MADE.get((shell, plan.shape))
    return cast("S", made or _make(shell, plan.shape))


def _make(shell: Maker, shape: Shape) -> Maker:
    assert isinstance(shell, FunctionType), "a shell is a plain function"
    try:
        lines, first = inspect.getsourcelines(shell)
    except (OSError, TypeError):
        return _MADE.setdefault((shell, shape), shell)
    source = textwrap.dedent("".join(lines))
    # Bounded by the numbers of parameters that are asked for.
    made: dict[int | None, FunctionType] = {}

    def compiled(count: int | None) -> FunctionType | None:
        found = made.get(count)
        if found is not None:
            return found
        with _MAKING:
            try:
                made[count] = made.get(count) or _compile(shell, shape, source, first, count)
            except SystemError:
                # CPython 3.11 counts the depth of all trees that are made at once as one; another
                # thread of the program makes one just now. The next call tries again.
                return None
            return made[count]

    # A fallback is given the arguments as the caller wrote them.
    fits = dict(zip(FACTS, shape, strict=True))["plan.fallback is None"]
    return _MADE.setdefault((shell, shape), fitting(shell, compiled, fits=fits))


def _compile(
    shell: FunctionType, shape: Shape, source: str, first: int, count: int | None
) -> FunctionType:
    tree = ast.parse(source)
    answers = dict(zip(FACTS, shape, strict=True)) | {"shape is not None": True}
    tree = _Answers(answers).visit(tree)
    if count is not None:
        tree = Parameters(count).visit(tree)
    tree = ast.increment_lineno(ast.fix_missing_locations(tree), first - 1)
    code = compile(tree, shell.__code__.co_filename, "exec")
    found: dict[str, Any] = {}
    # The package's own source, less some branches; nothing from outside is in it.
    exec(code, shell.__globals__, found)  # noqa: S102
    made = found[shell.__name__]
    made.__defaults__ = (shape,)
    return cast("FunctionType", made)


class _Answers(ast.NodeTransformer):
    """Puts answers in the place of questions, and leaves out what they decide.

    The compiler would leave out dead branches too, but not a ``finally`` that has become empty or a
    handler that only raises again, and an error pays for passing through each.
    """

    def __init__(self, answers: dict[str, bool]) -> None:
        self._answers = answers

    def visit(self, node: ast.AST) -> Any:
        """Replace a question; Any: a visitor's own signature."""
        if isinstance(node, ast.Compare | ast.Attribute):
            answer = self._answers.get(ast.unparse(node))
            if answer is not None:
                return ast.copy_location(ast.Constant(answer), node)
        return super().visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Fold what is known: an operand that decides, or that has no say."""
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)
        kept: list[ast.expr] = []
        for value in node.values:
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                if value.value is decides:
                    kept.append(value)
                    break
                continue
            kept.append(value)
        if not kept:
            return ast.copy_location(ast.Constant(not decides), node)
        if len(kept) == 1:
            return kept[0]
        node.values = kept
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Leave out the branch that is never taken."""
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        node.body = node.body or [ast.copy_location(ast.Pass(), node)]
        return node

    def visit_Try(self, node: ast.Try) -> ast.AST | list[ast.stmt]:
        """Leave out handlers that only raise again, and the whole where nothing else is left."""
        self.generic_visit(node)
        node.handlers = [one for one in node.handlers if not _only_raises(one)]
        if not node.handlers and not node.finalbody:
            return node.body
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        """Leave out the types of parameters: they would be made anew for each guarded function."""
        for one in (*node.args, node.vararg, node.kwarg):
            if one is not None:
                one.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave out the type of the result, for the same reason."""
        return self._untyped(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Leave out the type of the result, for the same reason."""
        return self._untyped(node)

    def _untyped(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Leave out declarations of a type: they cost nothing, and mean nothing here."""
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)


def _only_raises(handler: ast.ExceptHandler) -> bool:
    first = handler.body[0]
    return isinstance(first, ast.Raise) and first.exc is None
