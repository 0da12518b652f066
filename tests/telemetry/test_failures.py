import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from tests.telemetry.traces.kit import exchange

from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.telemetry.failures import Failures, exchange_here
from mainstay.telemetry.reports import watch_errors


class Lines:
    """Keeps what lines would be about."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def failed(self, *told: Any) -> None:
        self.told.append(told)


def test_each_error_is_told_once_to_everybody() -> None:
    """A framework's signal comes first, and then the shell with the same error."""
    first: list[Any] = []
    second: list[Any] = []
    lines = Lines()
    failures = Failures(
        lambda *told: first.append(told), lambda *told: second.append(told), line=lines
    )
    one, error = exchange(), LookupError()
    token = enter_trace(one)
    failures.unhandled(error)
    failures.failed(one, error)
    leave_trace(token)
    assert first == second == [(one, error, "")]
    failures.failed(exchange(sampled=False, scope={"mainstay.trace": arrive(Random(8))}), error)
    assert len(first) == 2, "a constant that is raised in each request is told in each"
    failures.background(ValueError("other"), "work")
    assert first[-1][0] is None
    assert first[-1][2] == "work"
    assert lines.told == first[1:], "the framework has said its own line about the first one"
    failures.unhandled(KeyError("answered in silence"), is_logged=False)
    assert lines.told == first[1:]
    assert len(first) == 4


class HidesDict(Exception):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # What a program may do.
        raise RuntimeError


class LiesAboutDict(Exception):
    __dict__ = property(lambda _: ().__iter__())


class HidesAll(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("kind", [HidesDict, LiesAboutDict, HidesAll])
def test_an_error_whose_class_hides_everything_is_told_once(kind: type[Exception]) -> None:
    told: list[Any] = []
    lines = Lines()
    failures = Failures(lambda *one: told.append(one), line=lines)
    error = kind()
    failures.unhandled(error, is_logged=False)
    failures.unhandled(error, is_logged=False)
    assert len(told) == 1
    assert len(lines.told) == 1


class Liar(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]  # As above.
        raise RuntimeError


class Nameless(Exception, metaclass=Liar):
    pass


def test_one_that_can_not_tell_takes_nothing_from_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Law: what is known of an error is told by whoever can; who can't is said on stderr."""

    def raises(*_: object) -> None:
        raise Nameless

    lines = Lines()
    Failures(raises, line=lines).unhandled(KeyError("hunter2"), is_logged=False)
    assert len(lines.told) == 1
    said = capsys.readouterr().err
    assert said == "mainstay: a KeyError can't be told of: Nameless\n"


def test_an_error_that_forbids_attributes_is_told_once_too() -> None:
    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    told: list[Any] = []
    failures = Failures(lambda *one: told.append(one), line=Lines())
    error = Frozen()
    failures.unhandled(error)
    failures.unhandled(error)
    assert len(told) == 1


def test_outside_of_requests_there_is_no_exchange() -> None:
    assert exchange_here() is None


def test_django_tells_by_its_signal() -> None:
    from django.core.handlers.base import BaseHandler  # type: ignore[import-untyped]  # No types.
    from django.core.signals import (  # type: ignore[import-untyped]  # As above.
        got_request_exception,
    )

    seen: list[BaseException] = []

    def note(error: BaseException, *, is_logged: bool = True) -> None:
        assert is_logged
        seen.append(error)

    handler = BaseHandler()
    watch_errors(handler, note)
    watch_errors(handler, note)
    error = LookupError()
    with pytest.raises(LookupError), _telling(got_request_exception):
        raise error
    assert seen == [error]


@contextmanager
def _telling(signal: Any) -> Iterator[None]:
    """Tell of an error as Django does: while it is being handled."""
    try:
        yield
    except LookupError:
        signal.send(sender=None, request=None)
        raise


def test_an_app_of_no_framework_tells_nothing() -> None:
    seen: list[BaseException] = []
    watch_errors(lambda: None, lambda error, **_how: seen.append(error))
    assert seen == []


@pytest.mark.parametrize(
    ("says", "debug", "is_logged"),
    [("always", False, True), ("debug", True, True), ("debug", False, False)],
)
def test_litestar_says_its_own_line_where_it_is_told_to(
    says: Any, *, debug: bool, is_logged: bool
) -> None:
    from litestar import Litestar
    from litestar.logging import LoggingConfig

    told: list[tuple[BaseException, bool]] = []

    def note(error: BaseException, *, is_logged: bool = True) -> None:
        told.append((error, is_logged))

    app = Litestar([], logging_config=LoggingConfig(log_exceptions=says), debug=debug)
    watch_errors(app, note)
    error = LookupError()
    hook: Any = app.after_exception[-1]
    asyncio.run(hook(error, {}))
    assert told == [(error, is_logged)]
