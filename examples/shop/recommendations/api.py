"""The recommendations' HTTP interface: one address, served over WSGI by threads."""

from dataclasses import asdict

from flask import Flask, Response, abort, jsonify, request

from shop.products import Stocklist
from shop.recommendations.related import recommend

LIMIT_DEFAULT = 4
LIMIT_MAX = 24


def build(stocklist: Stocklist) -> Flask:
    """Return the recommendations among ``stocklist``."""
    app = Flask(__name__, static_folder=None)

    @app.get("/related/<int:product_id>")
    def related(product_id: int) -> Response:
        limit = request.args.get("limit", LIMIT_DEFAULT, type=int)
        if not 1 <= limit <= LIMIT_MAX:
            abort(422, f"limit is a whole number from 1 to {LIMIT_MAX}.")
        return jsonify(asdict(recommend(stocklist.products, product_id, limit=limit)))

    return app
