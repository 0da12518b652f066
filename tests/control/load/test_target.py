"""URLs, headers and statuses as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load.target import (
    Origin,
    TargetInvalid,
    distinct,
    parse_expect,
    parse_header,
    parse_url,
    target,
)


@pytest.mark.parametrize(
    ("url", "origin", "authority", "path"),
    [
        ("http://127.0.0.1:8080", ("http", "127.0.0.1", 8080), "127.0.0.1:8080", "/"),
        ("http://LOCALHOST/a?b=c#d", ("http", "localhost", 80), "localhost", "/a?b=c"),
        ("https://[::1]:8443/x", ("https", "::1", 8443), "[::1]:8443", "/x"),
        ("https://localhost:443", ("https", "localhost", 443), "localhost", "/"),
        ("http://bücher.example/ä b", ("http", "xn--bcher-kva.example", 80),
         "xn--bcher-kva.example", "/%C3%A4%20b"),
        ("http://h/a%20b?q=%C3%A4", ("http", "h", 80), "h", "/a%20b?q=%C3%A4"),
    ],
)  # fmt: skip
def test_a_url_is_read(url: str, origin: tuple[str, str, int], authority: str, path: str) -> None:
    found, found_path = parse_url(url)
    assert (found.scheme, found.host, found.port) == origin
    assert (found.authority, found_path) == (authority, path)


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:8080", "ftp://h/", "http://", "http://h:0/", "http://h:99999/",
        "http://[::1/", "http://h/a\r\nX: y", "http://h/" + "a" * 9000, "/only/a/path",
        "http://" + "ü" * 80 + ".example/",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(TargetInvalid):
        parse_url(url)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(TargetInvalid) as refused:
        parse_url("http://ann:hunter2@127.0.0.1/")
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    """Whatever is read can be sent: it has no space and no control character left."""
    try:
        _, path = parse_url(text)
    except TargetInvalid:
        return
    assert path.startswith("/")
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("200", {200}),
        ("2xx,404", {*range(200, 300), 404}),
        ("200-202, 4XX", {200, 201, 202, *range(400, 500)}),
    ],
)
def test_expected_statuses(text: str, statuses: set[int]) -> None:
    assert parse_expect(text) == statuses


@pytest.mark.parametrize("text", ["", "20", "6xx", "abc", "200,,201", "299-200", "2xx-3xx"])
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(TargetInvalid):
        parse_expect(text)


def test_a_header_is_read() -> None:
    assert parse_header("X-Token:  a:b ") == ("X-Token", "a:b")


@pytest.mark.parametrize(
    "text", ["no colon", ": v", "a b: c", "X: s3cret\r\nY: z", "X: s3cret\0", "Content-Length: 3"]
)
def test_a_bad_header_is_refused_without_showing_its_value(text: str) -> None:
    with pytest.raises(TargetInvalid) as refused:
        parse_header(text)
    assert "s3cret" not in str(refused.value)


def test_the_default_name_leaves_the_query_out() -> None:
    assert target("http://h/a?token=s3cret").name == "GET /a"


def test_faults_of_a_target_are_told_all_at_once() -> None:
    bad = target(
        "http://h/", method="get", weight=-1, headers=(("Host\n", "x"),), expect=frozenset()
    )
    faults = "\n".join(bad.faults())
    assert faults.count("\n") == 3
    for word in ("method", "weight", "header", "status"):
        assert word in faults


@given(st.lists(st.sampled_from(["a", "b", "a #2", "a #2 #2"]), max_size=12))
def test_names_become_distinct_and_the_first_keeps_its_own(names: list[str]) -> None:
    targets = distinct(target("http://h/", name=name) for name in names)
    found = [one.name for one in targets]
    assert len(set(found)) == len(names)
    assert all(new.startswith(old) for new, old in zip(found, names, strict=True))


def test_an_origin_prints_as_its_url() -> None:
    assert str(Origin(scheme="https", host="::1", port=8443)) == "https://[::1]:8443"
