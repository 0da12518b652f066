"""Security headers: from what is declared to what is sent."""

import pytest

from mainstay.service.inbound.perimeter.security import Kind, csp_of, hsts_value, plain_headers
from mainstay.spec.perimeter import Hsts, SecurityHeaders


def headers_of(declared: SecurityHeaders, kind: Kind = "api") -> dict[str, str]:
    found = {name.decode(): value.decode() for name, value in plain_headers(declared)}
    policy = csp_of(declared, kind)
    return found if policy is None else {policy.name.decode(): policy.text.decode(), **found}


def test_the_policy_of_an_api() -> None:
    headers = headers_of(SecurityHeaders())
    assert headers["content-security-policy"] == (
        "frame-ancestors 'none'; default-src 'none'; base-uri 'none'; form-action 'none'"
    )
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"].split(", ")
    assert "cross-origin-embedder-policy" not in headers


def test_pages_may_load_what_is_theirs() -> None:
    text = headers_of(SecurityHeaders(), "pages")["content-security-policy"]
    assert text.startswith("frame-ancestors 'none'; default-src 'self'; script-src 'self'; ")
    policy = csp_of(SecurityHeaders(), "pages")
    assert policy is not None
    assert policy.has_nonce
    assert b"script-src 'self' 'nonce-abc'; style-src 'self' 'nonce-abc'" in policy.with_nonce(
        "abc"
    )


def test_every_header_can_be_turned_off() -> None:
    off = SecurityHeaders(
        csp=None,
        frame=None,
        nosniff=False,
        referrer=None,
        permissions=None,
        opener=None,
        resource=None,
        embedder=None,
    )
    assert headers_of(off) == {}


def test_every_header_can_be_set() -> None:
    declared = SecurityHeaders(
        csp=(("default-src", ("self",)),),
        report_only=True,
        frame="same-origin",
        referrer="no-referrer",
        permissions=(("camera", ("self", "https://a.example")), ("usb", ("*",)), ("x-y", ())),
        opener="same-origin-allow-popups",
        resource="cross-origin",
        embedder="credentialless",
        also=(("Reporting-Endpoints", 'csp="/reports"'), ("X-Frame-Options", "SAMEORIGIN ")),
    )
    headers = headers_of(declared)
    assert headers["content-security-policy-report-only"].startswith("frame-ancestors 'self'; ")
    assert "content-security-policy" not in headers
    assert headers["referrer-policy"] == "no-referrer"
    permissions = headers["permissions-policy"].split(", ")
    assert 'camera=(self "https://a.example")' in permissions
    assert {"usb=*", "x-y=()", "microphone=()"} < set(permissions)
    assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["cross-origin-embedder-policy"] == "credentialless"
    assert headers["reporting-endpoints"] == 'csp="/reports"'
    # What is said in so many words wins over the key of its own.
    assert headers["x-frame-options"] == "SAMEORIGIN "


@pytest.mark.parametrize(
    ("ancestors", "old"),
    [(("none",), "DENY"), (("'self'",), "SAMEORIGIN"), (("https://a.example",), None)],
)
def test_the_two_headers_about_frames_never_contradict(
    ancestors: tuple[str, ...], old: str | None
) -> None:
    """X-Frame-Options can't name an origin: where the policy does, it is left out."""
    headers = headers_of(SecurityHeaders(csp=(("frame-ancestors", ancestors),)))
    assert headers.get("x-frame-options") == old
    assert headers["content-security-policy"].count("frame-ancestors") == 1


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        (Hsts(), b"max-age=31536000"),
        (Hsts(max_age_s=0.0), b"max-age=0"),
        (Hsts(subdomains=True), b"max-age=31536000; includeSubDomains"),
        (Hsts(subdomains=True, preload=True), b"max-age=31536000; includeSubDomains; preload"),
    ],
)
def test_hsts_says_what_is_declared(hsts: Hsts, value: bytes) -> None:
    assert hsts_value(hsts) == value
