"""What the methods that make clients know of the policy whose methods they are."""

from typing import TYPE_CHECKING, Any, cast

from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.quantity import Duration

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.http_clients.options import Http
    from mainstay.service.outbound.policy import Policy


class Maker:
    """Makes clients of one policy, which is itself; a declared dependency knows more of them."""

    __slots__ = ()

    def _http(self) -> "Http":
        """Return the options of HTTP clients that are made without any."""
        from mainstay.service.outbound.adapters.http_clients.options import Http  # noqa: PLC0415

        return Http()

    def _url(self, what: str, *, schemes: frozenset[str], others: bool = False) -> str:
        """Return where a client goes that is made without a URL.

        Args:
            what: Is made: ``a Redis client``.
            schemes: Of URLs that are right for it.
            others: Whether those are the wrong ones, and all others are right.

        Raises:
            PolicyMisused: Nobody declared it, or what is declared is of another kind.
        """
        del what, schemes, others
        raise PolicyMisused(
            f"{self._policy().name}: only a declared dependency knows where it is: say it"
        )

    def _timeouts(self) -> dict[str, float]:
        """Return what is declared, in seconds: ``connect``, ``read`` and ``total``, or nothing."""
        return {}

    def _within(self, **said: tuple[Duration | None, str]) -> dict[str, Any]:
        """Return the timeouts of a client as its maker takes them.

        Args:
            said: For each name of an argument, what the caller said, or None, and the name of the
                timeout that is taken then. Where that is not declared, the maker knows its own.

        Returns:
            Any: they are keywords, among others of other kinds.
        """
        declared = self._timeouts()
        found = {
            name: declared.get(kind) if value is None else value
            for name, (value, kind) in said.items()
        }
        return {name: value for name, value in found.items() if value is not None}

    def _policy(self) -> "Policy":
        return cast("Policy", self)
