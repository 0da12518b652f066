"""``inbound.session:`` what is remembered of a visitor, outside of the process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainstay.spec.dependency import DEPENDENCY_NAME, Dependency
from mainstay.spec.faults import Fault, fault_at
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Flag, ListOf, Mismatch, Raw, Text
from mainstay.spec.kinds.quantities import duration, size
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.sources import Declared
from mainstay.spec.stores import store_faults

KEY_CHARACTERS_MIN = 32
"""RFC 2104: a key of HMAC should not be shorter than the hash, here 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(Text):
    """A text that must come from a file: in the declaration everybody could read it."""

    def read(self, raw: Raw) -> str | Secret:
        """Read a secret; a text that stands in the file itself is none."""
        if not isinstance(raw, Secret):
            raise Mismatch(self.expected())
        # Named, since a dataclass with slots is made anew and leaves super() with the old one.
        return Text.read(self, raw)


SIGNING_KEY = SigningKey(
    what=f"a signing key of {KEY_CHARACTERS_MIN} characters or more, as ${{file:/run/secrets/x}}",
    pattern=rf"[\s\S]{{{KEY_CHARACTERS_MIN},}}",
    secret=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Sessions in a store that all replicas share, and a signed cookie that names one."""

    store: str = key(
        "store",
        DEPENDENCY_NAME,
        doc="The dependency that keeps the sessions: its url is valkey or redis.",
    )
    keys: tuple[Secret, ...] = key(
        "keys",
        ListOf(SIGNING_KEY, maximum=8),
        default=(),
        doc="Sign the cookie. The first signs, all are accepted: put a new one first, and take the "
        "old one out when `lifetime` has passed. Without any, `mainstay up` keeps one that is made "
        "at the first start, in `.mainstay/run`: for one machine.",
    )
    cookie: str = key(
        "cookie",
        Text(what="a cookie's name", pattern=r"[A-Za-z0-9_-]{1,40}"),
        default="session",
        doc="The cookie's name; while `secure` is on, with the prefix `__Host-`.",
    )
    secure: bool = key(
        "secure",
        Flag(),
        default=True,
        doc="Whether the cookie is for https alone. Off only where you develop over plain http: "
        "the name then has no prefix.",
    )
    same_site: str = key(
        "same_site",
        Choice(("lax", "strict", "none")),
        default="lax",
        doc="Whether requests that begin at other sites carry the cookie: lax, only when a person "
        "follows a link.",
    )
    ttl_s: float = key(
        "ttl",
        duration("30m", minimum_s=1.0, maximum_s=90 * 86400.0),
        default=1800.0,
        doc="A session that nobody reads for so long is gone. Best practices, session store: "
        "30 min.",
    )
    lifetime_s: float = key(
        "lifetime",
        duration("12h", minimum_s=1.0, maximum_s=365 * 86400.0),
        default=43_200.0,
        doc="However much it is used, a session ends after this (OWASP ASVS 3.3.2: 12 h).",
    )
    touch_s: float = key(
        "touch",
        duration("1m", minimum_s=0.001, maximum_s=86_400.0),
        default=60.0,
        doc="Reading a session extends it at most this often.",
    )
    data_bytes_max: int = key(
        "data_max",
        size("16KiB", maximum=1024 * 1024),
        default=16 * 1024,
        doc="Of one session, as JSON. It is for a few ids and flags; records belong in a database.",
    )
    load: str = key(
        "load",
        Choice(("lazy", "eager")),
        default="lazy",
        doc="lazy: a request that doesn't touch the session costs no call; asynchronous code "
        "writes `session = await mainstay.session()`. eager: every request with a cookie loads it "
        "first, as code for Starlette's `request.session` expects.",
    )


def session_faults(
    options: Session | None,
    dependencies: Sequence[tuple[str, Dependency]],
    declared: Declared,
) -> Iterator[Fault]:
    """Yield what is wrong with the section as a whole.

    Args:
        options: As declared; None where it is off.
        dependencies: Of the same service.
        declared: Where the keys stand.
    """
    path = "inbound.session"
    if options is None:
        return
    yield from store_faults(options.store, f"{path}.store", dependencies, declared)
    for names, sentence in _own_faults(options):
        of_key = f"{path}.{names[0]}"
        if all(declared.is_sure(f"{path}.{name}") for name in names):
            yield fault_at(declared.place(of_key), of_key, sentence)


def _own_faults(options: Session) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong, and the keys that say so: the one to mend first."""
    if options.same_site == "none" and not options.secure:
        yield (
            ("same_site", "secure"),
            "browsers take a cookie with `same_site: none` only while it is `secure`",
        )
    if options.ttl_s > options.lifetime_s:
        yield ("ttl", "lifetime"), "`ttl` is longer than `lifetime`, which ends every session"
    if options.touch_s >= options.ttl_s:
        yield ("touch", "ttl"), "`touch` must be shorter than `ttl`: a session in use would end"
