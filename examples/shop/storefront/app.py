"""The storefront as it is served: pages and JSON, wrapped by its declaration."""

from pathlib import Path

from mainstay import Service
from shop.database import Database, data_folder
from shop.storefront.orderbook import SCHEMA
from shop.storefront.site import build
from shop.storefront.upstream import Peer
from shop.storefront.wiring import Peers

service = Service.load(Path(__file__).with_name("mainstay.yaml"))


def peer(name: str) -> Peer:
    """Return a dependency with the timeouts of its declaration."""
    timeout = dict(service.declaration.dependencies)[name].timeout
    return Peer(
        name=name,
        url=service.url(name),
        connect_s=timeout.connect_s or 0.5,
        total_s=timeout.total_s or 2.0,
    )


database = Database(data_folder() / "orders.db", SCHEMA)
service.check("orders", critical=False)(database.check)
peers = Peers(
    catalog=peer("catalog"),
    recommendations=peer("recommendations"),
    payments=peer("payments"),
)
app = service.asgi(build(peers, database))
