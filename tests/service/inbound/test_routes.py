"""Which paths a limit is for."""

import re
from fnmatch import translate
from timeit import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.routes import Routes

PATTERNS = ("/login", "/users/*/avatar", "/reports/*.csv", "/v1/", "/é+(x)")


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/login", 0), ("/login/", 0), ("/login/help", 0), ("/logins", None), ("/Login", None),
        ("/a/login", None), ("//login", None),
        ("/users/7/avatar", 1), ("/users/7/avatar/small", 1), ("/users/7/8/avatar", None),
        ("/users//avatar", 1), ("/users/avatar", None),
        ("/reports/2026.csv", 2), ("/reports/.csv/x", 2), ("/reports/2026.csvx", None),
        ("/v1", 3), ("/v1/anything", 3), ("/v11", None),
        ("/é+(x)", 4), ("/éé(x)", None),
        ("", None), ("*", None), ("/", None), ("/login\n", None),
    ],
)  # fmt: skip
def test_a_pattern_stands_for_its_path_and_all_below(path: str, index: int | None) -> None:
    assert Routes(PATTERNS).find(path) == index


def test_the_first_pattern_that_fits_counts() -> None:
    assert Routes(("/a/b", "/a")).find("/a/b/c") == 0
    assert Routes(("/a", "/a/b")).find("/a/b/c") == 0


def test_a_slash_is_everything() -> None:
    routes = Routes(("/",))
    assert [routes.find(path) for path in ("/", "/a", "/a/b", "")] == [0, 0, 0, 0]


LETTERS = st.text(alphabet="ab/.", max_size=8)


@given(
    st.lists(
        st.from_regex(r"(/[ab.]{0,2}\*?[ab.]{0,2}){1,3}", fullmatch=True), min_size=1, max_size=4
    ),
    LETTERS,
)
def test_equal_to_a_naive_reading(patterns: list[str], rest: str) -> None:
    path = "/" + rest
    naive = [
        index
        for index, pattern in enumerate(patterns)
        if any(
            path[len(head) :][:1] in {"", "/"}
            for head in (path[:end] for end in range(len(path) + 1))
            if re.fullmatch(translate(pattern.rstrip("/")).replace(".*", "[^/]*"), head)
        )
    ]
    assert Routes(patterns).find(path) == (naive[0] if naive else None)


def test_no_path_is_slow() -> None:
    """The worst that pattern and path can do together grows with the length and not faster."""
    routes = Routes(("/" + "a*a/" * 40,))

    def cost_s(length: int) -> float:
        path = "/" + ("a" * length + "/") * 39 + "a" * length
        return min(timeit(lambda: routes.find(path), number=20) for _ in range(5))

    assert cost_s(800) < 100 * cost_s(80)
