"""The recommendations as they are served: their interface, wrapped by their declaration."""

from pathlib import Path

from mainstay import Service
from shop.products import load_stocklist
from shop.recommendations.api import build

service = Service.load(Path(__file__).with_name("mainstay.yaml"))
app = service.wsgi(build(load_stocklist()))
