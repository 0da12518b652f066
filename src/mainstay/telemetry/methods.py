"""The methods of HTTP that spans and metrics call by their names.

Source: OpenTelemetry's semantic conventions for HTTP 1.x (stable), ``http.request.method``.
"""

METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
"""Those that the conventions know; any other is ``_OTHER``, since strangers choose them."""

OTHER_METHOD = "_OTHER"
