"""How HTTP clients apply a policy: option values. Pure."""

from dataclasses import dataclass
from ssl import SSLContext

from mainstay.service.outbound.balance import Balancer
from mainstay.service.outbound.quantity import Duration, Options

_URL_MAX = 2_048
_SERVER_ERRORS = 500
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """What an HTTP client needs to know beside the policy.

    ``connect``, ``read`` and ``write`` hold within every attempt, and never longer than what is
    left of the attempt and of the deadline. Their defaults are the starter pack's.

    Attributes:
        base_url: What relative URLs are relative to, such as ``service.url("payments")``.
        connect: To open a connection. Starter pack: 5 s.
        read: Between two reads. Starter pack: 30 s.
        write: Of one write. Starter pack: 10 s.
        idle: A connection that was idle for longer is not used again (best practices: 30 s). Keep
            it below what the server allows: it should be the client that closes.
        excluded: Statuses that are no failures, of those that would be: 429, and 500 and above.
        tls: How the server is checked, and who calls proves who it is; None: as the client does it.
        balancer: Who chooses the endpoint of each attempt; None: the host of the URL. A further
            attempt goes to another endpoint. The host of the URL stays in the ``Host`` header and
            in the certificate's check.
    """

    base_url: str = ""
    connect: Duration = 5.0
    read: Duration = 30.0
    write: Duration = 10.0
    idle: Duration = 30.0
    excluded: tuple[int, ...] = ()
    tls: SSLContext | None = None
    balancer: Balancer | None = None

    def __post_init__(self) -> None:
        options = Options("Http")
        if len(str(self.base_url)) > _URL_MAX:
            # The value isn't shown: it may hold a password.
            options.wrong("base_url", f"a URL of at most {_URL_MAX} characters", "another value")
        for name in ("connect", "read", "write", "idle"):
            object.__setattr__(self, name, options.seconds(name, getattr(self, name)))
        _check_kinds(options, self.excluded, self.balancer, self.tls)
        options.done()

    def is_failure(self, status: int) -> bool:
        """Return whether an answer with this status is a failure of the dependency."""
        return (
            status >= _SERVER_ERRORS or status == _TOO_MANY_REQUESTS
        ) and status not in self.excluded


def _check_kinds(options: Options, excluded: object, balancer: object, tls: object) -> None:
    if not isinstance(excluded, tuple) or not all(isinstance(one, int) for one in excluded):
        options.wrong("excluded", "a tuple of statuses", excluded)
    if balancer is not None and not isinstance(balancer, Balancer):
        options.wrong("balancer", "a Balancer", balancer)
    if tls is not None and not isinstance(tls, SSLContext):
        options.wrong("tls", "an ssl.SSLContext", tls)
