"""The edge's access log: one JSON line on stdout for each request."""

from mainstay.edge.envoy.protojson import JsonObject, extension

TEXT_MAX = 512
"""Characters kept of what a client chose: path, user agent, trace context."""


def access_log(service: str, listener: str) -> JsonObject:
    """Return the access log of one listener.

    The path is written without its query, since that is where tokens and e-mail addresses live.
    A value that is not known (no replica was reached, no header sent) is null.

    Args:
        service: The service before which the listener stands.
        listener: ``public`` or ``internal``.
    """
    return extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        {
            "log_format": {
                "json_format": {
                    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
                    "service": service,
                    "listener": listener,
                    "method": "%REQ(:METHOD)%",
                    "path": f"%PATH(NQ:ORIG_OR_PATH):{TEXT_MAX}%",
                    "status": "%RESPONSE_CODE%",
                    "duration_ms": "%DURATION%",
                    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                    "replica": "%UPSTREAM_HOST%",
                    "cluster": "%UPSTREAM_CLUSTER%",
                    "bytes_in": "%BYTES_RECEIVED%",
                    "bytes_out": "%BYTES_SENT%",
                    "flags": "%RESPONSE_FLAGS%",
                    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                    "request_id": f"%REQ(X-REQUEST-ID):{TEXT_MAX}%",
                    "traceparent": f"%REQ(TRACEPARENT):{TEXT_MAX}%",
                    "user_agent": f"%REQ(USER-AGENT):{TEXT_MAX}%",
                }
            }
        },
    )
