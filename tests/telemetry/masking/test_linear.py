"""No stranger can make the masker work for long: each expression is linear in the text."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from random import Random

import pytest
from tests.telemetry.masking.counting import Meter
from tests.telemetry.masking.examples import example_of

import mainstay.telemetry.masking as room
from mainstay.telemetry.masking import Masker

SIZES = (8_000, 32_000)
"""Characters to begin with. Where twice as many cost too much more, larger ones tell for sure: what
is bounded grows only up to its bound."""

GROWTH_MAX = 2.7
"""Of the work for twice the text: 2 if it is linear, 4 if it is quadratic."""

TRIFLE = 400_000
"""Instructions; so few tell nothing of their growth, and take a tenth of a millisecond."""

SEED = 20_261_122
EXAMPLES = 12

# What each expression begins anew at, over and over, or looks far ahead from.
PIECES = (
    "sk-", "sk-a-", "-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----", "eyJa", "SG.",
    "key-", 'a=\\"', "password='", 'password="', "password=(", "password: ", "token: none ",
    "a=b(", "a[0]", "password=\\'", "credentials={'", 'credentials={"a\\', "p=a&", "password=a|b",
    "://a:", "//a:b/", "//" + "a" * 300, "@", "a@", "a@a.", "a.", "-a", "%40", "a%40", "4111 ",
    "4111+1111+", "DE89 ", "AA11 AAAA ", "Bearer ", "Bearer a.", "<a>", "<a b", "<a b>x</",
    "--a ", "--a", "(b'a', ", "('token', ", "x" * 50, "[[[", "=", ":", "a:b@", "\\", "\\'", "'",
    '"', "name=a value=", 'name: "password" ', "a\n  input_value=", "a\n", "Key (", "Key (a)=(",
    "key (a", "Duplicate entry '", "'loc': ('a", "'loc': ('password'), 'input': ",
    "[parameters: (", "] (", "[generated in ", "PASSWORD '", "PASSWORD 'a''",
    "IDENTIFIED WITH a BY '", "INSERT INTO a (a", "INSERT INTO a (password) VALUES ('",
    "hooks.slack.com/services/", "?code=", "?code=a", "bot123456789:AA", "%22password%22%3A",
    "password[0", "<![CDATA[", "<password><![CDATA[", "Cookie: ", "Digest ",
    "authorization: digest ", "a key: ", "a-", "a_", "\u00fc", "aB", "x-key: a",
)  # fmt: skip
TAILS = ("", "A", " ", "\\", "'", '"', "=", ")", "\n")


def expressions() -> Iterator[tuple[str, tuple[re.Pattern[str], Callable[[str], object]]]]:
    """Yield every expression of the room and how it is used: as a method, else from end to end."""
    for found in pkgutil.iter_modules(room.__path__):
        module = importlib.import_module(f"{room.__name__}.{found.name}")
        for name, value in vars(module).items():
            pattern = getattr(value, "__self__", value)
            if isinstance(pattern, re.Pattern):
                use = pattern.findall if pattern is value else value
                yield f"{found.name}.{name}", (pattern, use)


EXPRESSIONS = dict(expressions())


def growth(
    meter: Meter,
    call: Callable[[str], object],
    piece: str,
    tail: str,
    sizes: tuple[int, ...] = SIZES,
) -> float:
    """Return how many times the work for a text that for twice the text is; 0 if it is a trifle."""
    rate = 0.0
    for chars in sizes:
        # Even, so that quotes pair in the same way.
        count = chars // len(piece) // 2 * 2
        once, twice = piece * count + tail, piece * 2 * count + tail
        much = meter.cost(lambda text=twice: call(text))  # type: ignore[misc]  # mypy knows no default of a lambda.
        if much < TRIFLE:
            return 0.0
        rate = much / meter.cost(lambda text=once: call(text))  # type: ignore[misc]  # As above.
        if rate <= GROWTH_MAX:
            break
    return rate


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_is_linear_in_its_own_worst_repetitions(name: str) -> None:
    """Beginnings of what it would take, repeated: it starts at each and fails late."""
    pattern, use = EXPRESSIONS[name]
    rng = Random(SEED)
    pieces = set()
    for _ in range(EXAMPLES):
        whole = example_of(pattern, rng)
        pieces |= {whole[:end] for end in (1, 2, 3, len(whole) // 2, len(whole) - 1, len(whole))}
    with Meter() as meter:
        grown = {
            (piece, tail): rate
            for piece in sorted(pieces - {""})
            for tail in ("", "\x00")
            if (rate := growth(meter, use, piece, tail)) > GROWTH_MAX
        }
    assert grown == {}


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece: str) -> None:
    """All rules together, with an odd end behind the repetitions."""
    masker = Masker()
    with Meter() as meter:
        grown = {
            tail: rate
            for tail in TAILS
            if (rate := growth(meter, masker.text, piece, tail)) > GROWTH_MAX
        }
    assert grown == {}


def test_the_growth_of_a_quadratic_expression_is_seen() -> None:
    """Else the tests above would prove nothing."""
    quadratic = re.compile(r"sk-(?:[a-z]+-)*[A-Z]{3}")
    with Meter() as meter:
        rate = growth(meter, quadratic.findall, "sk-", "A", sizes=(2000,))
    assert rate > GROWTH_MAX
