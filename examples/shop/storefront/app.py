"""The storefront as it is served: pages and JSON, wrapped by its declaration."""

from pathlib import Path

from mainstay import Service
from mainstay.spec.dependency import Bulkhead
from shop.database import Database, data_folder
from shop.storefront.orderbook import SCHEMA
from shop.storefront.site import build
from shop.storefront.upstream import Peer
from shop.storefront.wiring import Peers

service = Service.load(Path(__file__).with_name("mainstay.yaml"))


def peer(name: str) -> Peer:
    """Return a dependency with the bounds of its declaration."""
    dependency = dict(service.declaration.dependencies)[name]
    bulkhead = dependency.bulkhead or Bulkhead()
    return Peer(
        name=name,
        url=service.url(name),
        connect_s=dependency.timeout.connect_s or 0.5,
        total_s=dependency.timeout.total_s or 2.0,
        calls_max=bulkhead.limit,
        waiting_max=bulkhead.queue,
    )


database = Database(data_folder() / "orders.db", SCHEMA)
service.check("orders", critical=False)(database.check)
peers = Peers(
    catalog=peer("catalog"),
    recommendations=peer("recommendations"),
    payments=peer("payments"),
)
app = service.asgi(build(peers, database))
