"""Spans that frameworks make of requests by themselves, as soon as there is a tracer provider.

FastAPI does: one of the request, which has ours, and one for each of its own steps.
"""

import sys
from typing import Any


def spare_spans(app: object) -> None:
    """Have a framework make no spans of its own of the requests of an app: they have ours.

    An app that was given a provider keeps making them:
    ``FastAPI(telemetry={"tracer_provider": provider})``.

    Args:
        app: What is wrapped; of any framework or none.
    """
    fastapi = sys.modules.get("fastapi")
    if fastapi is None or not isinstance(app, fastapi.FastAPI):
        return
    # Once an app is made there is no other way. Any: FastAPI's own, which older ones don't have.
    settings: Any = getattr(app, "_telemetry", None)
    if isinstance(settings, dict) and settings.get("tracer_provider") is None:
        settings["tracing"] = False
