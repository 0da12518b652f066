"""The answer to a request whose handler failed: an RFC 9457 problem without internals."""

import json

PROBLEM_TYPE = "application/problem+json"


def failure_problem(trace_id: str) -> bytes:
    """Return the body of a 500. ``trace_id`` finds the traceback in the log; nothing else leaks."""
    return json.dumps(
        {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "The service failed to answer. The trace id finds the cause in its log.",
            "trace_id": trace_id,
        }
    ).encode()
