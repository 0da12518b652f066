"""Paths of a service, as several keys name them."""

from mainstay.spec.kinds.kinds import Text

ROUTE = Text(
    what="a path such as /login or /users/*/avatar, at most one * between two slashes",
    pattern=r"(?:/[!-)+-.0->@-~]*\*?[!-)+-.0->@-~]*)+",
    maximum=200,
)
