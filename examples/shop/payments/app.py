"""The payments as they are served: their interface, wrapped by their declaration."""

from pathlib import Path

from mainstay import Service
from shop.database import Database, data_folder
from shop.payments.api import build
from shop.payments.ledger import SCHEMA

database = Database(data_folder() / "payments.db", SCHEMA)
service = Service.load(Path(__file__).with_name("mainstay.yaml"))
service.check("ledger")(database.check)
app = service.asgi(build(database))
