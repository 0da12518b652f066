"""The proxy's access lines without secrets: nothing masks them where they are written."""

from dataclasses import replace

from mainstay.control.logs.entry import Entry
from mainstay.control.logs.wanted import EDGE
from mainstay.telemetry.masking import Masker


def masked(entry: Entry, masker: Masker) -> Entry:
    """Return a line as it may be shown: one of the proxy's masked, any other as it is.

    A service masks its own lines before it writes them. The proxy can't: paths, user agents and ids
    are what a client sent.
    """
    if entry.replica != EDGE:
        return entry
    fields = None if entry.fields is None else masker.mapping(entry.fields)
    return replace(entry, fields=fields, text=masker.text(entry.text))
