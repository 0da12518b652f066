"""How a command ended: an exit code, and one sentence or one JSON object that says why."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO

import click

from mainstay.core.errors import ConfigInvalid, MainstayError

FAILED: Final = 1
WRONG_INPUT: Final = 2
INTERRUPTED: Final = 130


class ReaderGone(MainstayError):
    """Whoever read our output went away (`mainstay logs | head`): no fault, and no news to him."""


class MachineRefused(MainstayError):
    """The operating system refused something that no part of ours had an answer to."""

    @classmethod
    def of(cls, error: OSError) -> "MachineRefused":
        """Return the sentence for an error of the system."""
        if isinstance(error, FileNotFoundError) and error.filename is None:
            return cls("the working folder does not exist any more; go to another one")
        if error.strerror is None:
            return cls(str(error))
        if error.filename is None:
            return cls(f"can't read or write: {error.strerror}")
        return cls(f"{os.fsdecode(error.filename)}: {error.strerror}")


@contextlib.contextmanager
def reader_gone() -> Iterator[None]:
    """Name a broken pipe within the block, before click takes it for a failure."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone("the reader of the output went away") from error


def code_of(error: MainstayError | click.ClickException) -> int:
    """Return the exit code for an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    if isinstance(error, ReaderGone):
        return 0
    return WRONG_INPUT if isinstance(error, ConfigInvalid) else FAILED


def usage_sentence(error: click.ClickException) -> str:
    """Return what is wrong with the words of a command line, and where the right ones are told."""
    said = " ".join(error.format_message().split()).removesuffix(".")
    # Only click's own sentences begin with a capital letter and a small one.
    if said[:2].istitle():
        said = said[0].lower() + said[1:]
    # What click calls a range need not be one to whoever wrote a word for a number.
    said = said.replace("is not a valid integer range", "is not a whole number")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return said
    then = " See" if said.endswith("?") else "; see"
    return f"{said}{then} `{context.command_path} --help`"


def report(error: MainstayError | click.ClickException, *, as_json: bool) -> None:
    """Write an error for people to stderr or, with ``--json``, as one object to stdout."""
    if isinstance(error, ReaderGone):
        return
    if as_json:
        try:
            click.echo(json.dumps(_as_object(error)))
        except OSError:
            # It is often stdout itself that can't be written to.
            _say(error)
    else:
        _say(error)


def outputs() -> tuple[TextIO | None, TextIO | None]:
    """Return stdout and stderr; None where the process was started without it."""
    return sys.stdout, sys.stderr


def close_outputs() -> None:
    """Write out what is buffered; what can't be written is dropped.

    Otherwise the interpreter would try again at its very end, and spoil the exit code.
    """
    for stream in outputs():
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            _drop(stream)


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(error: MainstayError | click.ClickException) -> None:
    with contextlib.suppress(OSError):
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
        elif isinstance(error, click.ClickException):
            click.echo(f"mainstay: {usage_sentence(error)}", err=True)
        elif isinstance(error, ConfigInvalid):
            # One line each, in the form that editors and terminals turn into links.
            count = len(error.faults)
            click.echo(f"{error}\n{count} {'fault' if count == 1 else 'faults'}", err=True)
        else:
            click.echo(f"mainstay: {error}", err=True)


def _as_object(error: MainstayError | click.ClickException) -> dict[str, Any]:
    """Return what ``--json`` prints. Any: the values of JSON."""
    if isinstance(error, click.ClickException):
        # One name for all of them: click's own differ from version to version.
        return {"error": "UsageError", "message": usage_sentence(error)}
    answer: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
    if isinstance(error, ConfigInvalid):
        answer["faults"] = [
            fault.as_json() if hasattr(fault, "as_json") else str(fault) for fault in error.faults
        ]
    return answer
