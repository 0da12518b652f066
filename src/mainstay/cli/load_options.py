"""What `mainstay load` is asked: options as people write them, turned into a plan."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainstay.spec.kinds import units

if TYPE_CHECKING:
    from mainstay.control.load import Target

DATA_BYTES_MAX = 16 * 2**20
_PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,6})?)\s?%")


class Quantity(click.ParamType[float]):
    """A text with a unit.

    Args:
        name: Shown in the help.
        parse: Reads the text or raises UnitError.
        example: Shown when it cannot be read.
    """

    def __init__(self, name: str, parse: Callable[[str], float], example: str) -> None:
        self.name = name
        self._parse = parse
        self._example = example

    def convert(
        self,
        value: Any,  # Any: click hands over texts, or a default that is a number already.
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read one value, or end with a usage error."""
        if not isinstance(value, str):
            return float(value)
        try:
            return self._parse(value.strip())
        except units.UnitError:
            self.fail(f"{value[:40]!r} is not a {self.name}; write {self._example}", param, ctx)


def _rate(text: str) -> float:
    # A bare number can only be per second here.
    return units.rate_per_s(text if "/" in text else f"{text}/s")


def _percent(text: str) -> float:
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise units.UnitError(f"not a percentage: {text!r}")
    return float(match[1]) / 100


DURATION = Quantity("duration", units.duration_s, "30s or 800ms")
RATE = Quantity("rate", _rate, "300/s")
PERCENT = Quantity("percentage", _percent, "20%")


def targets_of(
    urls: tuple[str, ...],
    *,
    file: Path | None,
    method: str | None,
    data: str | None,
    headers: tuple[str, ...],
    expect: str | None,
) -> "tuple[Target, ...]":
    """Return the targets of the command line.

    Raises:
        click.UsageError: The options contradict each other.
        LoadRefused: A URL, a header or ``expect`` cannot be read.
        ConfigInvalid: The file has faults.
    """
    from mainstay.control.load.requests_file import read_requests
    from mainstay.control.load.target import (
        EXPECTED,
        distinct,
        parse_expect,
        parse_header,
        target,
    )

    pairs = tuple(parse_header(header) for header in headers)
    if file is not None:
        if len(urls) > 1:
            raise click.UsageError("with --file, one URL at most: the base of the file's paths")
        if method is not None or data is not None or expect is not None:
            raise click.UsageError("with --file, method, body and expect belong into the file")
        return read_requests(file, base=urls[0] if urls else None, headers=pairs)
    if not urls:
        raise click.UsageError("a URL or --file is needed")
    body = None if data is None else _body(data)
    return distinct(
        target(
            url,
            method=(method or ("GET" if body is None else "POST")).upper(),
            headers=pairs,
            body=body,
            expect=EXPECTED if expect is None else parse_expect(expect),
        )
        for url in urls
    )


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    from mainstay.spec.reading.files import Unreadable, read_bounded

    try:
        content = read_bounded(Path(data[1:]), maximum=DATA_BYTES_MAX)
    except Unreadable as error:
        raise click.UsageError(f"--data {data[:200]}: {error}") from error
    if len(content) > DATA_BYTES_MAX:
        raise click.UsageError(f"--data {data[:200]}: larger than {DATA_BYTES_MAX} bytes")
    return content
