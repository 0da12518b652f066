"""Mainstay: a production platform for Python services, from one declaration."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.service.inbound.health import Finding, Status
    from mainstay.service.inbound.trace import Trace, current_trace
    from mainstay.service.service import Service

__version__ = "0.1.0"

__all__ = ["Finding", "Service", "Status", "Trace", "__version__", "current_trace"]

# Name -> module. Loaded on first use, so that `import mainstay` costs next to nothing.
_HOMES = {
    "Finding": "mainstay.service.inbound.health",
    "Service": "mainstay.service.service",
    "Status": "mainstay.service.inbound.health",
    "Trace": "mainstay.service.inbound.trace",
    "current_trace": "mainstay.service.inbound.trace",
}


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415  Not needed by `mainstay.__version__`.

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    # The next look finds it without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
