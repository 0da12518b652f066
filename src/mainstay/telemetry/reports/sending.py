"""The client of sentry-sdk: made in each process for itself, with nothing that it adds unasked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentry_sdk.client import Client
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn

from mainstay.core.errors import ConfigInvalid

SHUTDOWN_S = 2.0
"""How long a process waits for its last reports where nobody drains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends reports, and of what.

    Attributes:
        dsn: Where they go; not shown.
        release: ``service@version``.
        environment: ``prod``.
        sample: Share of errors that are sent, 0 to 1.
    """

    dsn: str = field(repr=False)
    release: str
    environment: str
    sample: float


def client_of(
    sender: Sender, instance: str, hide: Callable[[Any], Any], lost: Callable[[str], None]
) -> Client:
    """Return a client for this process. It begins a thread with its first report.

    Args:
        sender: See there.
        instance: Id of this process.
        hide: Returns an event without its secrets. Any: JSON.
        lost: Told why a report was lost; called from any thread.

    Raises:
        ConfigInvalid: The DSN is none.
    """

    class Transport(HttpTransport):
        def on_dropped_event(self, _reason: str) -> None:
            lost(_reason)

    try:
        return Client(
            dsn=sender.dsn,
            release=sender.release,
            environment=sender.environment,
            server_name=instance,
            sample_rate=sender.sample,
            transport=Transport,
            before_send=lambda event, _hint: hide(event),
            # Each integration patches something; what they'd tell comes from our own events.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            # Variables of a frame hold what nobody would log.
            include_local_variables=False,
            max_request_body_size="never",
            send_client_reports=False,
            shutdown_timeout=SHUTDOWN_S,
            debug=False,
        )
    except (BadDsn, ValueError):
        # The second one is of urlsplit, about ports and brackets.
        # Without the cause, which repeats the DSN.
        raise ConfigInvalid(("`telemetry.errors.dsn` is no DSN of Sentry's",)) from None
