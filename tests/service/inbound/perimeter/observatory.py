"""The published rules of two public scanners, as far as headers decide about them.

Facts only, written down anew: the MDN HTTP Observatory's "Tests and scoring" (as of 2025: 100
points, penalties, then bonuses from 90 on) and the grading of securityheaders.com (six headers, and
nothing unsafe in the policy). Cookies, redirections and scripts of pages are the app's, and count
as neither good nor bad.
"""

from collections.abc import Mapping

Headers = Mapping[str, str]
Policy = dict[str, list[str]]

BROAD = {"*", "http:", "https:", "ftp:", "http://*", "https://*", "http://*.*", "https://*.*"}
INLINE = {"'unsafe-inline'", "data:"}
SIX_MONTHS_S = 15_768_000
PRIVATE_REFERRERS = {
    "no-referrer",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
}
BONUS_FROM = 90
GRADES = (
    (100, "A+"), (90, "A"), (85, "A-"), (80, "B+"), (70, "B"), (65, "B-"), (60, "C+"), (50, "C"),
    (45, "C-"), (40, "D+"), (30, "D"), (25, "D-"),
)  # fmt: skip


def parsed(text: str) -> Policy:
    """Return the directives of a policy; the first of two with one name counts."""
    policy: Policy = {}
    for part in text.split(";"):
        name, *sources = part.split()
        policy.setdefault(name.lower(), sources)
    return policy


def score(headers: Headers) -> int:
    """Return the points of an answer by HTTPS."""
    points = [
        csp_points(headers.get("content-security-policy")),
        hsts_points(headers.get("strict-transport-security")),
        frame_points(headers),
        0 if headers.get("x-content-type-options") == "nosniff" else -5,
        referrer_points(headers.get("referrer-policy")),
        resource_points(headers.get("cross-origin-resource-policy")),
        cors_points(headers),
    ]
    total = 100 + sum(point for point in points if point < 0)
    if total >= BONUS_FROM:
        total += sum(point for point in points if point > 0)
    return max(total, 0)


def grade(points: int) -> str:
    """Return the letter for points."""
    return next((letter for least, letter in GRADES if points >= least), "F")


def csp_points(text: str | None) -> int:
    """Return the points of a policy."""
    if text is None:
        return -25
    policy = parsed(text)
    default = policy.get("default-src", ["*"])
    script = policy.get("script-src", default)
    style = policy.get("style-src", default)
    objects = policy.get("object-src", default)
    if any(one.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for one in script):
        script = [one for one in script if one != "'unsafe-inline'"]
    if (BROAD | INLINE) & set(script) or BROAD & set(objects):
        return -20
    if any(one.startswith(("http:", "ftp:")) for sources in policy.values() for one in sources):
        return -20
    if "'unsafe-eval'" in script + style:
        return -10
    if (BROAD | INLINE) & set(style):
        return 0
    return 10 if policy.get("default-src") == ["'none'"] else 5


def hsts_points(value: str | None) -> int:
    """Return the points of Strict-Transport-Security."""
    if value is None:
        return -20
    words = dict(word.strip().partition("=")[::2] for word in value.split(";"))
    if not words.get("max-age", "").isdigit():
        return -20
    return 0 if int(words["max-age"]) >= SIX_MONTHS_S else -10


def frame_points(headers: Headers) -> int:
    """Return the points of protection from frames."""
    policy = parsed(headers.get("content-security-policy", "x"))
    if policy.get("frame-ancestors", ["*"]) != ["*"]:
        return 5
    return 0 if headers.get("x-frame-options") in {"DENY", "SAMEORIGIN"} else -20


def referrer_points(value: str | None) -> int:
    """Return the points of Referrer-Policy."""
    if value is None:
        return 0
    return 5 if value in PRIVATE_REFERRERS else -5


def resource_points(value: str | None) -> int:
    """Return the points of Cross-Origin-Resource-Policy."""
    known = {None: 0, "cross-origin": 0, "same-site": 10, "same-origin": 10}
    return known.get(value, -5)


def cors_points(headers: Headers) -> int:
    """Return the points of CORS, the scanner's origin being one that nobody declared."""
    allowed = headers.get("access-control-allow-origin", "")
    credentials = headers.get("access-control-allow-credentials") == "true"
    return -50 if credentials and allowed not in {"", "*"} else 0


def letters(headers: Headers) -> str:
    """Return the other scanner's grade: a letter less for each header that is missing."""
    graded = (
        "strict-transport-security",
        "content-security-policy",
        "x-frame-options",
        "x-content-type-options",
        "referrer-policy",
        "permissions-policy",
    )
    missing = sum(1 for name in graded if name not in headers)
    if missing:
        return "ABCDEF"[min(missing, 5)]
    unsafe = any(word in headers["content-security-policy"] for word in ("unsafe-", "*"))
    return "A" if unsafe else "A+"
