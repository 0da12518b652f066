"""The kinds of problems that Mainstay itself answers with: one table, and one page made from it.

Every part that refuses takes status and title from here; ``docs/reference/problems.md`` explains
each kind to whoever gets one.
"""

from typing import NamedTuple


class ProblemKind(NamedTuple):
    """One kind of problem.

    Attributes:
        status: Of the answer.
        title: What happened, the same for every problem of the kind (RFC 9457, section 3.1.4).
        meaning: When it is answered, for the reference page.
        remedy: What a client does about it, for the reference page.
    """

    status: int
    title: str
    meaning: str
    remedy: str


KINDS: dict[str, ProblemKind] = {
    "header-invalid": ProblemKind(
        400,
        "A header is not valid",
        "A header that Mainstay reads can't be read: `Host`, `Content-Length` or another one that "
        "the detail names.",
        "Mend the request; the same one is refused again.",
    ),
    "idempotency-key-missing": ProblemKind(
        400,
        "An idempotency key is needed",
        "The route asks for an `Idempotency-Key` header, and there was none.",
        "Send a new key with each operation, and the same key when it is tried again.",
    ),
    "body-incomplete": ProblemKind(
        400,
        "The body is not complete",
        "The body ended before its `Content-Length`. The connection is closed.",
        "Send the request again, whole.",
    ),
    "origin-not-allowed": ProblemKind(
        403,
        "Other origins may not do this",
        "A browser asked (CORS preflight) whether a page of another origin may send a request, and "
        "`inbound.cors.origins` doesn't name that origin.",
        "If the page is yours, add its origin to the declaration of the service.",
    ),
    "method-not-allowed": ProblemKind(
        405,
        "Method Not Allowed",
        "A path below `inbound.health.path`, or that of the metrics, was asked by a method other "
        "than GET and HEAD.",
        "Use a method that `Allow` names; the app has no handler at these paths.",
    ),
    "body-late": ProblemKind(
        408,
        "The body did not arrive in time",
        "The time for an answer was up while the app, or what stands before it, still waited for "
        "the body. The connection is closed.",
        "Send the request again; if it is the line that is slow, in smaller parts.",
    ),
    "idempotency-conflict": ProblemKind(
        409,
        "The first request with this key is still running",
        "A request with the same `Idempotency-Key` has begun and not ended.",
        "Wait as long as `Retry-After` says and send the same request again.",
    ),
    "idempotency-unknown": ProblemKind(
        409,
        "Nobody knows whether the work was done",
        "An earlier request with the same `Idempotency-Key` ended without an answer, as when its "
        "process died.",
        "Find out whether the work was done, and ask for it with a new key if it was not.",
    ),
    "idempotency-answer-not-kept": ProblemKind(
        409,
        "The work was done, its answer was not kept",
        "An earlier request with the same `Idempotency-Key` did its work; its answer was too long "
        "to be kept, or was cut off. Or nobody can know that it is for you: the request has no "
        "credentials, and a key of less than 20 characters, or it came with other cookies.",
        "Read what became of it; the work is not to be asked for again.",
    ),
    "body-too-large": ProblemKind(
        413,
        "The body is too large",
        "The body is longer than `inbound.body_max`, as its `Content-Length` says or as was found "
        "while it was read. The connection is closed.",
        "Send less, or in parts.",
    ),
    "host-not-allowed": ProblemKind(
        421,
        "This host is not served here",
        "The `Host` of the request is not in `inbound.hosts`.",
        "Ask by a name that the service has; a browser may try again over another connection.",
    ),
    "idempotency-mismatch": ProblemKind(
        422,
        "This key belongs to another request",
        "The `Idempotency-Key` was used before, with another method, path or body.",
        "Use a new key for a new operation.",
    ),
    "input-invalid": ProblemKind(
        422,
        "The input is not valid",
        "The app found faults in the body or the parameters, and `inbound.errors.app` is "
        "`problem`. Each fault is in the member `errors`: `detail`, `in` (body, query, path, "
        "header, cookie), and `pointer` (a JSON Pointer into the body) or `name`. The status is "
        "the app's: 422 for FastAPI, 400 for Litestar.",
        "Mend the input; the same one is refused again.",
    ),
    "rate-limited": ProblemKind(
        429,
        "Too many requests",
        "A limit of `inbound.rate_limit` is reached; `RateLimit` and `RateLimit-Policy` say which.",
        "Wait as long as `Retry-After` says.",
    ),
    "internal-error": ProblemKind(
        500,
        "Internal Server Error",
        "The app raised. Nothing about the cause is in the answer; the `trace_id` finds it in the "
        "log.",
        "Tell the owner the `trace_id`. Whether a retry is safe depends on the operation.",
    ),
    "dependency-unavailable": ProblemKind(
        503,
        "A dependency is not available",
        "The app called something whose policy rejected the call, because its circuit is open or "
        "too many calls are on their way, and had no fallback.",
        "Wait as long as `Retry-After` says, or a while.",
    ),
    "overloaded": ProblemKind(
        503,
        "The service is overloaded",
        "More requests are in flight than the service can answer in time; this one was not begun.",
        "Wait as long as `Retry-After` says, with jitter.",
    ),
    "store-unavailable": ProblemKind(
        503,
        "A store is not available",
        "The request needs a store (of sessions or of idempotency keys) that doesn't answer.",
        "Wait as long as `Retry-After` says.",
    ),
    "deadline-exceeded": ProblemKind(
        504,
        "The deadline is exceeded",
        "No time was left when the request arrived, or the app took longer than "
        "`inbound.deadline` or the caller's own deadline allows.",
        "Allow more time, or ask for less. Whether the work was done is not known, unless the "
        "detail says that it was not begun.",
    ),
}
"""By slug. A slug never changes its meaning, and one that is gone is never used again."""
