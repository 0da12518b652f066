"""Rows of requests that arrive, of websockets, and of work that goes on behind them."""

from mainstay.telemetry.metrics.table.row import counter_row, gauge_row, seconds_row

WEBSOCKET_SECONDS = (0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0)
"""A websocket may live for a working day."""

_REQUESTS = "Requests that arrive"

ROWS = (
    seconds_row(
        _REQUESTS,
        "http_server_request_duration",
        "How long requests took, from their arrival until the whole answer was handed over.",
        "http_request_method",
        "url_scheme",
        "http_route",
        "http_response_status_code",
        "error_type",
    ),
    gauge_row(
        _REQUESTS,
        "http_server_active_requests",
        "Requests that are being answered.",
        "http_request_method",
        "url_scheme",
    ),
    counter_row(
        _REQUESTS,
        "mainstay_requests_refused",
        "Requests that were turned away, or whose answer was replaced, by the kind of problem.",
        "problem",
        "http_response_status_code",
    ),
    seconds_row(
        _REQUESTS,
        "mainstay_websocket_duration",
        "How long websockets lived.",
        "http_route",
        "error_type",
        bounds=WEBSOCKET_SECONDS,
    ),
    gauge_row(_REQUESTS, "mainstay_websockets_open", "Websockets that are open."),
    seconds_row(
        _REQUESTS,
        "mainstay_background_duration",
        "How long background work took, from when it was handed over.",
        "work",
        "error_type",
    ),
)
