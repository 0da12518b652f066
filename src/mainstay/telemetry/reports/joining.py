"""Makes the error reports of a service from its declaration."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import PartMissing
from mainstay.core.events import Listeners
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.route import matched_route
from mainstay.telemetry.traces.endpoint import instance_of

if TYPE_CHECKING:
    from mainstay.telemetry.reports.reports import Reports, Route, User


def reports_of(
    declaration: Declaration,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    events: Listeners | None = None,
    masker: Masker | None = None,
    route: "Route" = matched_route,
    user: "User | None" = None,
) -> "Reports | None":
    """Return what reports the errors of a service; None where no DSN is declared.

    Args:
        declaration: With ``telemetry.errors``.
        environ: With $MAINSTAY_REPLICA; None: the process's.
        clock: Bounds the rate.
        events: Heard for breadcrumbs, and told of what is lost; None: there are none.
        masker: Hides secrets before anything leaves; None: one that knows the usual ones.
        route: Returns the template of a request's route.
        user: Returns who asks; told masked.

    Raises:
        PartMissing: sentry-sdk is not installed.
        ConfigInvalid: The DSN is none.
    """
    declared = declaration.telemetry.errors
    if declared is None:
        return None
    try:
        # Only here: it is an extra, and takes a while to load.
        from mainstay.telemetry.reports.reports import Reports  # noqa: PLC0415
        from mainstay.telemetry.reports.sending import Sender  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PartMissing(
            "error reports need sentry-sdk: pip install 'mainstay[telemetry]', or take "
            "`telemetry.errors` out of the declaration"
        ) from error
    known = os.environ if environ is None else environ
    return Reports(
        sender=Sender(
            dsn=declared.dsn,
            release=f"{declaration.service}@{declaration.version}",
            environment=declaration.telemetry.environment,
            sample=declared.sample,
        ),
        clock=clock,
        events=Listeners() if events is None else events,
        masker=Masker() if masker is None else masker,
        route=route,
        user=user,
        instance=lambda: instance_of(known, os.getpid()),
    )
