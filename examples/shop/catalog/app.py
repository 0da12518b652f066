"""The catalog as it is served: its interface, wrapped by its declaration."""

from pathlib import Path

from mainstay import Service
from shop.catalog.api import build
from shop.products import load_stocklist

service = Service.load(Path(__file__).with_name("mainstay.yaml"))
app = service.asgi(build(load_stocklist()))
