"""An ASGI app that counts orders, and tells who asks; served by several workers in the tests."""

import os
from typing import Any

from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics

metrics = ServiceMetrics(
    Declaration(service="web", app="metrics_app:app"), Metrics(), environ=os.environ
)
orders = metrics.registry.counter("orders", "Orders placed.")
sizes = metrics.registry.histogram("size", "Of orders.", unit="", bounds=(1, 10))
workers = metrics.registry.gauge("workers", "That live.", read=lambda: 1.0)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer /metrics, and count everything else."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
        metrics.close()
        return
    if scope["path"] == metrics.path:
        status, _, body = await metrics.endpoint.answer_async()
    else:
        orders.inc()
        sizes.observe(5)
        status, body = 200, str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})
