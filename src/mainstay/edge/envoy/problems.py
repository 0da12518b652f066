"""What the edge answers by itself: problem documents (RFC 9457), with no address and no cause.

docs/reference/edge-errors.md is the list for callers.
"""

from dataclasses import dataclass

from mainstay.edge.envoy.protojson import JsonObject

URN = "urn:mainstay:edge:"
RETRY_AFTER_S = 1
"""Hint for callers of a 503: replicas are replaced and load passes within about a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of answer of the edge.

    Attributes:
        name: Last part of the problem's ``type``; stable, for machines.
        status: HTTP status that Envoy gave.
        title: The kind, in a few words; the same every time.
        detail: One sentence for whoever reads it.
        flags: Envoy's response flags that tell it from other answers of the same status; empty
            for any.
    """

    name: str
    status: int
    title: str
    detail: str
    flags: tuple[str, ...] = ()


PROBLEMS = (
    Problem(
        name="bad-request",
        status=400,
        title="The request is malformed",
        detail="The request is not valid HTTP.",
    ),
    Problem(
        name="no-route",
        status=404,
        title="There is no such place",
        detail="The edge has no service for this request.",
        flags=("NR",),
    ),
    Problem(
        name="not-public",
        status=404,
        title="There is no such place",
        detail="This path is not open to clients from outside.",
    ),
    Problem(
        name="request-timeout",
        status=408,
        title="The request came too slowly",
        detail="The request did not arrive completely within the time allowed.",
    ),
    Problem(
        name="body-too-large",
        status=413,
        title="The body is too large",
        detail="The request's body is longer than this service accepts.",
    ),
    Problem(
        name="headers-too-large",
        status=431,
        title="The headers are too large",
        detail="The request's headers are longer, or more, than this service accepts.",
    ),
    Problem(
        name="bad-response",
        status=502,
        title="The service answered nonsense",
        detail="The service's response was not valid HTTP.",
    ),
    Problem(
        name="no-replica",
        status=503,
        title="The service is away",
        detail="No replica of the service is up. Try again later.",
        flags=("UH", "NC"),
    ),
    Problem(
        name="replica-lost",
        status=503,
        title="The service did not answer",
        detail="The service could not be reached, or broke off before it answered.",
        flags=("UF", "UC", "UR", "LR", "URX"),
    ),
    # Without a flag of its own when memory is short. After the lost ones, which also carry the
    # flag of an overflow where the retry budget was used up: there the app may have seen it.
    Problem(
        name="overloaded",
        status=503,
        title="The service is overloaded",
        detail="The service has as many requests in flight as it takes. Try again later.",
    ),
    Problem(
        name="timeout",
        status=504,
        title="The service took too long",
        detail="The service did not answer within the time allowed.",
    ),
)

OTHER = Problem(
    name="refused",
    status=0,
    title="The request was refused",
    detail="The edge could not pass this request on.",
)


def local_replies() -> JsonObject:
    """Return ``local_reply_config``: the first problem that fits, in the order above."""
    return {
        "mappers": [_mapper(problem) for problem in PROBLEMS],
        "body_format": _body(OTHER),
    }


def _mapper(problem: Problem) -> JsonObject:
    by_status: JsonObject = {
        "status_code_filter": {
            "comparison": {
                "op": "EQ",
                "value": {
                    "default_value": problem.status,
                    # Envoy asks for a key by which operators may override; nothing sets it.
                    "runtime_key": f"mainstay.problem.{problem.name}",
                },
            }
        }
    }
    by_flag: JsonObject = {"response_flag_filter": {"flags": list(problem.flags)}}
    retry_after: JsonObject = {"header": {"key": "retry-after", "value": str(RETRY_AFTER_S)}}
    return {
        "filter": {"and_filter": {"filters": [by_status, by_flag]}} if problem.flags else by_status,
        "body_format_override": _body(problem),
        **({"headers_to_add": [retry_after]} if problem.status == 503 else {}),  # noqa: PLR2004
    }


def _body(problem: Problem) -> JsonObject:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"{URN}{problem.name}",
            "title": problem.title,
            "status": "%RESPONSE_CODE%",
            "detail": problem.detail,
            "request_id": "%REQ(X-REQUEST-ID)%",
        },
    }
