"""What may be declared at the perimeter, and what is a fault, with its place."""

import pytest
from tests.spec.conftest import Complain, Load

from mainstay.spec.perimeter import Cors, Errors, Hsts, SecurityHeaders

HEAD = "service: shop\napp: shop:app\ninbound:\n"


def test_nothing_declared_is_the_default(load: Load) -> None:
    found = load("service: shop\napp: shop:app\n").system.members[0].declaration.inbound
    assert found.hosts == ()
    assert found.body_bytes_max == 16 * 2**20
    assert found.cors is None
    assert found.headers == SecurityHeaders()
    assert found.errors == Errors()


def test_short_forms(load: Load) -> None:
    found = (
        load(
            HEAD
            + "  hosts: [shop.example.com, '*.shop.example.com', '[::1]', 10.0.0.1]\n"
            + "  body_max: off\n"
            + "  cors: [https://shop.example.com]\n"
            + "  headers: pages\n"
            + "  errors: problem\n"
        )
        .system.members[0]
        .declaration.inbound
    )
    assert found.hosts == ("shop.example.com", "*.shop.example.com", "[::1]", "10.0.0.1")
    assert found.body_bytes_max is None
    assert found.cors == Cors(origins=("https://shop.example.com",))
    assert found.headers == SecurityHeaders(preset="pages")
    assert found.errors == Errors(app="problem")


def test_everything_can_be_said(load: Load) -> None:
    found = (
        load(
            HEAD
            + "  headers:\n"
            + "    csp: {script-src: [self, nonce, 'sha256-abc='], form-action: []}\n"
            + "    hsts: {max_age: 366d, subdomains: true, preload: true}\n"
            + "    permissions: {camera: [self, https://meet.example.com], usb: ['*']}\n"
            + "    frame: off\n"
            + "    also: {Reporting-Endpoints: 'csp=\"/reports\"'}\n"
        )
        .system.members[0]
        .declaration.inbound
    )
    assert found.headers == SecurityHeaders(
        csp=(("script-src", ("self", "nonce", "sha256-abc=")), ("form-action", ())),
        hsts=Hsts(max_age_s=366 * 86400.0, subdomains=True, preload=True),
        permissions=(("camera", ("self", "https://meet.example.com")), ("usb", ("*",))),
        frame=None,
        also=(("Reporting-Endpoints", 'csp="/reports"'),),
    )
    assert load(HEAD + "  headers: off\n").system.members[0].declaration.inbound.headers is None


@pytest.mark.parametrize(
    ("text", "place", "path", "says"),
    [
        (
            "  cors:\n    origins: ['*']\n    credentials: true\n",
            (6, 18),
            "inbound.cors.credentials",
            "* lets every page",
        ),
        (
            "  cors:\n    origins: ['null', https://a.example]\n    credentials: true\n",
            (6, 18),
            "inbound.cors.credentials",
            "'null' lets every sandboxed page",
        ),
        (
            "  cors: ['*', https://a.example]\n",
            (4, 9),
            "inbound.cors.origins",
            "the others beside it say nothing",
        ),
        (
            "  headers: {hsts: {preload: true}}\n",
            (4, 29),
            "inbound.headers.hsts.preload",
            "`subdomains: true`",
        ),
        (
            "  headers: {csp: off, report_only: true}\n",
            (4, 36),
            "inbound.headers.report_only",
            "`csp` is off",
        ),
    ],
)
def test_what_does_not_go_together_is_a_fault_with_its_place(
    complain: Complain, text: str, place: tuple[int, int], path: str, says: str
) -> None:
    faults = complain(HEAD + text)
    assert [((fault.line, fault.column), fault.path) for fault in faults] == [(place, path)]
    assert says in faults[0].sentence


@pytest.mark.parametrize(
    "text",
    [
        "hosts: [Shop.example.com]",
        "hosts: ['shop.example.com:80']",
        "hosts: ['*']",
        "hosts: ['a.*.com']",
        "hosts: [https://shop.example.com]",
        "cors: [shop.example.com]",
        "cors: [https://shop.example.com/]",
        "cors: [https://shop.example.com/path]",
        "cors: ['https://*']",
        "cors: ['https://a.*.example']",
        "cors: [HTTPS://shop.example.com]",
        "cors: {origins: [https://a.example], methods: [get]}",
        "cors: {origins: [https://a.example], headers: ['X Y']}",
        "cors: {methods: [GET]}",
        "headers: {csp: {script-src: ['self; object-src *']}}",
        "headers: {csp: {script-src: ['self, x']}}",
        "headers: {csp: {'script-src x': [self]}}",
        'headers: {also: {X-A: "a\\r\\nX-B: b"}}',
        "headers: {also: {'X A': b}}",
        "headers: {permissions: {camera: ['self) usb=(*']}}",
        "headers: {frame: allow}",
        "errors: {types: not-absolute}",
        "errors: {types: 'https://a.example/\"'}",
        "body_max: 0B",
    ],
)
def test_what_would_be_no_header_is_a_fault(complain: Complain, text: str) -> None:
    faults = complain(HEAD + f"  {text}\n")
    assert len(faults) == 1
    assert faults[0].line == 4
