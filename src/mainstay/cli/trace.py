"""`mainstay trace [ID]`."""

import json
import re
from pathlib import Path
from typing import Final

import click

from mainstay.cli import place
from mainstay.cli.parts import need
from mainstay.control.engines.local.folder import lock_holder
from mainstay.control.traces.kept import (
    CANDIDATES_MAX,
    Found,
    Listing,
    find,
    ids_of,
    ids_of_request,
    listing,
)
from mainstay.control.traces.ring import FOLDER
from mainstay.control.traces.span import KeptSpan
from mainstay.control.traces.summary import Summary
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import MainstayError

ARRIVE_S: Final = 2.0
"""A span is sent within a second of its end, so an id that is not known yet may be by then."""

WHOLE_S: Final = 1.5
"""After the end of its last span, a trace has all that it will have: each service sends its own."""

LOOK_S: Final = 0.25

DIGITS_MIN: Final = 4
"""Of a trace's id: fewer would mean most of what is kept."""

_HEX = re.compile(rf"[0-9a-f]{{{DIGITS_MIN},32}}")
_SHORT = re.compile(rf"[0-9a-f]{{0,{DIGITS_MIN - 1}}}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class TraceNotKept(MainstayError):
    """No span of the trace that was asked for is kept here."""


class TraceAmbiguous(MainstayError):
    """What was asked for means several traces."""


@click.command()
@click.argument("ident", required=False, metavar="[ID]")
@click.option("--slowest", is_flag=True, help="List the slowest first.")
@click.option("--failed", is_flag=True, help="List only traces in which something failed.")
@click.option(
    "--service",
    metavar="NAME",
    help="List only traces that this service took part in.",
    shell_complete=place.known_services,
)
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many to list.",
)
@place.path_option
@place.json_option
def command(
    ident: str | None,
    service: str | None,
    lines: int,
    path: Path | None,
    *,
    slowest: bool,
    failed: bool,
    as_json: bool,
) -> None:
    """Show where the time of one request went, across services; without ID, list what is kept.

    ID is a trace id, the first digits of one, a traceparent, or a request id, as in logs, problem
    documents and the header X-Request-Id. What was not sampled is not kept, unless it failed or was
    slow.
    """
    if not as_json:
        need("trace", "rich")
    state = place.running_state(path)
    folder = state / FOLDER
    if ident is not None:
        show(wait_for(folder, ident.strip(), daemon=lock_holder(state / "lock")), as_json=as_json)
        return
    found = listing(folder, lambda span: service is None or span.service == service)
    chosen = [one for one in found.summaries if one.failed or not failed]
    if slowest:
        chosen.sort(key=lambda one: one.duration_ns, reverse=True)
    list_traces(found, chosen, lines, as_json=as_json)


def wait_for(folder: Path, ident: str, *, daemon: int | None) -> Found:
    """Return the trace that is meant, once it came whole, or as it is after ARRIVE_S.

    Raises:
        TraceNotKept: There is none, and where a daemon runs none came in ARRIVE_S.
        TraceAmbiguous: There are several.
    """
    is_short = _SHORT.fullmatch(ident.lower()) is not None
    tries = int(ARRIVE_S / LOOK_S) if daemon is not None and not is_short else 0
    for left in range(tries, -1, -1):
        ids = meant(folder, ident)
        if ids:
            found = find(folder, only(ident, ids))
            if not left or not may_grow(found, SYSTEM_CLOCK.wall_s()):
                return found
        if left:
            pause(LOOK_S)
    if is_short:
        raise TraceNotKept(
            f"no span of a request {ident!r} is kept here; of a trace's id, {DIGITS_MIN} digits at "
            "least are needed"
        )
    raise TraceNotKept(
        f"no span of {ident!r} is kept here: by default nine of ten requests are sampled out "
        "unless they fail or are slow. To keep all, say `telemetry: {traces: {sample: 100%}}` in "
        "mainstay.dev.yaml (`mainstay up --env dev`), or send a traceparent that ends in -01; "
        "`mainstay logs --trace` shows the lines of any request"
    )


def may_grow(found: Found, now_s: float) -> bool:
    """Return whether spans of a trace may be on their way, at ``now_s`` seconds since 1970."""
    return max((one.end_ns for one in found.spans), default=0) / 1e9 > now_s - WHOLE_S


def meant(folder: Path, ident: str) -> list[str]:
    """Return the ids of the traces that ``ident`` may mean, a few at most."""
    small = ident.lower()
    traceparent = _TRACEPARENT.fullmatch(small)
    if traceparent is not None:
        small = traceparent[1]
    ids = ids_of(folder, small) if _HEX.fullmatch(small) else []
    return ids or ids_of_request(folder, ident)


def only(ident: str, ids: list[str]) -> str:
    """Return the one id there is. Raises TraceAmbiguous for several."""
    if len(ids) == 1:
        return ids[0]
    more = ", ..." if len(ids) >= CANDIDATES_MAX else ""
    raise TraceAmbiguous(f"{ident!r} means several traces: {', '.join(ids)}{more}")


def show(found: Found, *, as_json: bool) -> None:
    """Print one trace."""
    if as_json:
        click.echo(json.dumps(as_object(found), indent=2))
        return
    from mainstay.cli.waterfall import waterfall

    for line in waterfall(found):
        click.echo(line)


def list_traces(found: Listing, chosen: list[Summary], lines: int, *, as_json: bool) -> None:
    """Print a line for each of the first traces."""
    if as_json:
        click.echo(json.dumps([summary_object(one) for one in chosen[:lines]], indent=2))
        return
    if found.unreadable:
        lines_text = "line" if found.unreadable == 1 else "lines"
        click.echo(f"note: {found.unreadable} {lines_text} of spans can't be read", err=True)
    if not chosen:
        which = "trace" if not found.summaries else "such trace"
        click.echo(
            f"no {which} is kept; one in ten is sampled, and what fails or is slow", err=True
        )
        return
    from mainstay.cli.trace_list import trace_list

    click.echo(trace_list(chosen[:lines]), nl=False)
    if len(chosen) > lines:
        click.echo(f"{len(chosen) - lines} more: -n {len(chosen)}", err=True)


def as_object(found: Found) -> dict[str, object]:
    """Return a trace for programs."""
    return {
        "trace_id": found.trace_id,
        "beyond": found.beyond,
        "spans": [span_object(span) for span in sorted(found.spans, key=lambda one: one.start_ns)],
    }


def span_object(span: KeptSpan) -> dict[str, object]:
    """Return a span for programs; times are nanoseconds since 1970, as in OTLP."""
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "service": span.service,
        "instance": span.instance,
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "duration_ms": (span.end_ns - span.start_ns) / 1e6,
        "status": span.status,
        "message": span.message,
        "attributes": span.attributes,
        "events": [
            {"name": one.name, "at_ns": one.at_ns, "attributes": one.attributes}
            for one in span.moments
        ],
    }


def summary_object(one: Summary) -> dict[str, object]:
    """Return a summary for programs."""
    return {
        "trace_id": one.trace_id,
        "start_ns": one.start_ns,
        "duration_ms": one.duration_ns / 1e6,
        "spans": one.spans,
        "services": list(one.services),
        "failed": one.failed,
        "service": one.service,
        "name": one.name,
        "status": one.status,
        "kept": one.kept,
    }
