"""What of ``inbound:`` stands at the perimeter: hosts, bodies, CORS, security headers, errors."""

from collections.abc import Iterator
from dataclasses import dataclass

from mainstay.spec.edge import HEADER, URL_PATH
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Flag, ListOf, MapOf, Section, Text
from mainstay.spec.kinds.quantities import duration

PROBLEM_TYPES = "urn:uuid:af14e167-6d63-4203-a0dc-737bf19ef871#"
"""What the slug of a problem's kind is put behind. Why it is a URN: docs/guides/problems.md."""

_YEAR_S = 365 * 86400.0
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL}){{0,20}}"
_PORT = r"(?::[0-9]{1,5})?"

HOST = Text(
    what="a host such as shop.example.com, *.example.com (every name below it), an IP address, or "
    "[::1], in lower case and without a port",
    pattern=rf"(?:\*\.)?{_NAME}|\[[0-9a-f:.]{{2,45}}\]",
    maximum=253,
)
ORIGIN = Text(
    what="an origin such as https://shop.example.com, https://*.example.com (every name below it), "
    "http://localhost:3000, * (every origin) or 'null', in lower case and without a path",
    pattern=rf"\*|null|[a-z][a-z0-9+.-]{{0,30}}://(?:(?:\*\.)?{_NAME}|\[[0-9a-f:.]{{2,45}}\]){_PORT}",
    maximum=300,
)
METHOD = Text(what="a method such as PATCH, in upper case", pattern=r"[A-Z][A-Z-]{0,30}")
HEADER_VALUE = Text(
    what="a header's value, of printable ASCII", pattern=r"[!-~](?:[ -~]*[!-~])?", maximum=4000
)
DIRECTIVE = Text(
    what="a directive of CSP such as script-src, or all for none of the preset's",
    pattern=r"[a-z][a-z-]{1,40}",
)
SOURCE = Text(
    what="a source of CSP: self, none, nonce, strict-dynamic, sha256-…, https://cdn.example.com, "
    "data:, or another word of the directive",
    pattern=r"[!-+\--:<-~]{1,300}",
)
FEATURE = Text(what="a feature such as camera", pattern=r"[a-z][a-z0-9-]{1,60}")
ALLOWED = Text(
    what="who may use a feature: self, *, or an origin such as https://maps.example.com",
    pattern=rf"self|src|\*|https?://(?:\*\.)?{_NAME}{_PORT}",
)
TYPES_URI = Text(
    what="the beginning of a URI, to whose end the slug of a kind is put: "
    "https://docs.example.com/problems#",
    pattern=r"[a-z][a-z0-9+.-]{1,30}:[!#-\[\]-~]{1,200}",
)


Features = tuple[tuple[str, tuple[str, ...]], ...]
"""Of a browser, each with who may use it."""

# What a page seldom needs and a script that was smuggled in may want.
_DENIED = (
    "accelerometer", "bluetooth", "camera", "display-capture", "geolocation", "gyroscope", "hid",
    "magnetometer", "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages of other origins may read answers."""

    origins: tuple[str, ...] = key(
        "origins",
        ListOf(ORIGIN),
        doc="Origins whose pages may; an empty list: none.",
    )
    methods: tuple[str, ...] = key(
        "methods",
        ListOf(METHOD),
        default=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        doc="Methods that they may use; browsers allow GET, HEAD and POST in any case.",
    )
    headers: tuple[str, ...] = key(
        "headers",
        ListOf(HEADER),
        default=(
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "X-Request-ID",
            "traceparent",
            "tracestate",
        ),
        doc="Request headers that they may send: what an API with JSON and tokens needs, and what "
        "this wrapper reads.",
    )
    expose: tuple[str, ...] = key(
        "expose",
        ListOf(HEADER),
        default=("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
        doc="Response headers that their scripts may read: those that this wrapper adds.",
    )
    credentials: bool = key(
        "credentials",
        Flag(),
        default=False,
        doc="Whether cookies go along. Only to origins that are named, never with * or 'null'.",
    )
    max_age_s: float = key(
        "max_age",
        duration("10m", minimum_s=0.0, maximum_s=86400),
        default=600.0,
        doc="A browser asks again (preflight) after this. Chromium takes at most 2 h; ten minutes "
        "spare nearly all, and a change of the origins is soon felt.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hsts:
    """Strict-Transport-Security, on answers to requests that came by HTTPS."""

    max_age_s: float = key(
        "max_age",
        duration("365d", minimum_s=0.0),
        default=_YEAR_S,
        doc="Browsers use HTTPS alone for this long. A year is what the preload list asks for; 0s "
        "makes browsers forget.",
    )
    subdomains: bool = key(
        "subdomains",
        Flag(),
        default=False,
        doc="Whether for every name below the host as well. Off, since other teams' names are "
        "below yours.",
    )
    preload: bool = key(
        "preload",
        Flag(),
        default=False,
        doc="Whether browsers may ship with the host in their list. Hard to take back.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityHeaders:
    """What browsers may do with an answer; a header that the app sets itself stays as it is."""

    preset: str = key(
        "preset",
        Choice(("auto", "api", "pages")),
        default="auto",
        doc="api: the answer may load nothing and be framed by nobody, right for JSON. pages: HTML "
        "with scripts, styles and images of its own origin, and inline ones with the nonce. auto: "
        "pages for answers of text/html, api for all others.",
    )
    csp: tuple[tuple[str, tuple[str, ...]], ...] | None = key(
        "csp",
        MapOf(DIRECTIVE, ListOf(SOURCE), maximum=40),
        default=(),
        off=True,
        doc="Directives of Content-Security-Policy in place of the preset's; one with an empty "
        "list is left out. `nonce` stands for the request's.",
    )
    report_only: bool = key(
        "report_only",
        Flag(),
        default=False,
        doc="Whether browsers only report what the policy would forbid, to try one out.",
    )
    hsts: Hsts | None = key(
        "hsts",
        Section(Hsts, shorthand="max_age"),
        default=Hsts(),
        off=True,
        doc="HTTPS alone from now on.",
    )
    frame: str | None = key(
        "frame",
        Choice(("deny", "same-origin")),
        default="deny",
        off=True,
        doc="Who may put a page into a frame: frame-ancestors of CSP, and X-Frame-Options for old "
        "browsers.",
    )
    nosniff: bool = key(
        "nosniff", Flag(), default=True, doc="X-Content-Type-Options: the type is what is said."
    )
    referrer: str | None = key(
        "referrer",
        Choice(
            (
                "no-referrer",
                "same-origin",
                "strict-origin",
                "strict-origin-when-cross-origin",
                "origin",
                "origin-when-cross-origin",
                "no-referrer-when-downgrade",
                "unsafe-url",
            )
        ),
        default="strict-origin-when-cross-origin",
        off=True,
        doc="Referrer-Policy. Other sites learn the origin and no path; Django's CSRF check still "
        "gets what it needs.",
    )
    permissions: Features | None = key(
        "permissions",
        MapOf(FEATURE, ListOf(ALLOWED, maximum=16), maximum=64),
        default=(),
        off=True,
        doc="Permissions-Policy: who may use a feature of the browser. By default nobody may use "
        "camera, microphone, geolocation, payment, USB and their like.",
    )
    opener: str | None = key(
        "opener",
        Choice(("same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none")),
        default="same-origin",
        off=True,
        doc="Cross-Origin-Opener-Policy. A log-in in a popup needs same-origin-allow-popups.",
    )
    resource: str | None = key(
        "resource",
        Choice(("same-origin", "same-site", "cross-origin")),
        default="same-origin",
        off=True,
        doc="Cross-Origin-Resource-Policy: who may embed an answer without CORS. Public images and "
        "scripts need cross-origin.",
    )
    embedder: str | None = key(
        "embedder",
        Choice(("require-corp", "credentialless")),
        default=None,
        off=True,
        doc="Cross-Origin-Embedder-Policy, for pages that need SharedArrayBuffer.",
    )
    data: str = key(
        "data",
        Choice(("brief", "full")),
        default="brief",
        doc="Answers of JSON. brief: without Referrer-Policy, Permissions-Policy and the "
        "Cross-Origin policies of openers and embedders, which say something of pages alone; what "
        "OWASP asks of an API stays. full: as all others. Under the preset pages always full.",
    )
    docs: tuple[str, ...] = key(
        "docs",
        ListOf(URL_PATH),
        default=("/docs", "/docs/oauth2-redirect", "/redoc"),
        doc="Paths of FastAPI's documentation, whose pages load Swagger UI and ReDoc from a CDN: "
        "their CSP allows just that.",
    )
    hide: tuple[str, ...] = key(
        "hide",
        ListOf(HEADER),
        default=("Server", "X-Powered-By"),
        doc="Headers of the app that are left out: they name what an attacker would look up.",
    )
    also: tuple[tuple[str, str], ...] = key(
        "also",
        MapOf(HEADER, HEADER_VALUE, maximum=32),
        default=(),
        doc="Further headers of every answer, as they are.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Problem documents."""

    app: str = key(
        "app",
        Choice(("as_is", "problem")),
        default="as_is",
        doc="Whether the app's own answers of 4xx and 5xx become problem documents too.",
    )
    types: str = key(
        "types",
        TYPES_URI,
        default=PROBLEM_TYPES,
        doc="What the slug of a kind is put behind, to make the `type` of a problem. Your own "
        "documentation, where its readers can follow it.",
    )


def perimeter_faults(
    cors: Cors | None, headers: SecurityHeaders | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (keys, sentence) for what no single key can know; the keys are dotted paths."""
    if cors is not None:
        yield from _cors_faults(cors)
    if headers is None:
        return
    hsts = headers.hsts
    if hsts is not None and hsts.preload and not (hsts.subdomains and hsts.max_age_s >= _YEAR_S):
        yield (
            ("inbound.headers.hsts.preload", "inbound.headers.hsts"),
            "the preload list takes a host only with `subdomains: true` and a `max_age` of 365d",
        )
    if headers.report_only and headers.csp is None:
        yield (
            ("inbound.headers.report_only", "inbound.headers.csp"),
            "`csp` is off, so there is nothing to report",
        )


def _cors_faults(cors: Cors) -> Iterator[tuple[tuple[str, ...], str]]:
    places = ("inbound.cors.origins", "inbound.cors")
    if "*" in cors.origins and len(cors.origins) > 1:
        yield places, "* is every origin; the others beside it say nothing"
    if not cors.credentials:
        return
    for origin, what in (("*", "* lets every page"), ("null", "'null' lets every sandboxed page")):
        if origin in cors.origins:
            sentence = f"{what} read what a user's cookies open; name the origins instead"
            yield ("inbound.cors.credentials", *places), sentence


def allowed_features(declared: Features) -> Features:
    """Return who may use which feature of the browser: nobody, where ``permissions`` is silent."""
    denied: dict[str, tuple[str, ...]] = dict.fromkeys(_DENIED, ())
    return tuple((denied | dict(declared)).items())
