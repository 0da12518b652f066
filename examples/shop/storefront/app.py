"""The storefront as it is served: pages and JSON, wrapped by its declaration."""

import logging
from pathlib import Path

from mainstay import Service
from shop.database import Database, data_folder
from shop.storefront.orderbook import SCHEMA
from shop.storefront.site import build
from shop.storefront.wiring import Peers

service = Service.load(Path(__file__).with_name("mainstay.yaml"))

# Each call that leaves is counted, and has a span: httpx need not say a line about it.
logging.getLogger("httpx").setLevel(logging.WARNING)

database = Database(data_folder() / "orders.db", SCHEMA)
service.check("orders", critical=False)(database.check)
peers = Peers(
    catalog=service.dependency("catalog"),
    recommendations=service.dependency("recommendations"),
    payments=service.dependency("payments"),
)
orders = service.counter("orders", "Orders by what became of them.", labels=("state",))
app = service.asgi(build(peers, database, orders))
