"""The recommendations' HTTP interface: one address, served over WSGI by threads."""

from dataclasses import asdict

from flask import Flask, Response, jsonify, request

from shop.problem import CONTENT_TYPE, problem
from shop.products import Stocklist
from shop.recommendations.related import recommend

LIMIT_DEFAULT = 4
LIMIT_MAX = 24


def refusal(status: int, code: str, detail: str) -> Response:
    """Return a problem document as an answer."""
    response = jsonify(problem(status, code, detail))
    response.status_code = status
    response.content_type = CONTENT_TYPE
    return response


def build(stocklist: Stocklist) -> Flask:
    """Return the recommendations among ``stocklist``."""
    app = Flask(__name__, static_folder=None)

    @app.get("/related/<int:product_id>")
    def related(product_id: int) -> Response:
        limit = request.args.get("limit", LIMIT_DEFAULT, type=int)
        if not 1 <= limit <= LIMIT_MAX:
            return refusal(422, "limit", f"limit is a whole number from 1 to {LIMIT_MAX}.")
        return jsonify(asdict(recommend(stocklist.products, product_id, limit=limit)))

    @app.errorhandler(404)
    def not_found(error: Exception) -> Response:
        del error
        return refusal(404, "not_found", "There is nothing here.")

    return app
