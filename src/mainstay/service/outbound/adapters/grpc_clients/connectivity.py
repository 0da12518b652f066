"""What a channel says about its connection: the one witness of whether a call could leave.

The text of a status proves nothing, since a server may pass on what it heard from another one.
"""

from typing import Any
from weakref import ref

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.

UNKNOWN = "UNKNOWN"
"""Nobody can say: the channel is gone, or has no such look into it."""

_NAMES: dict[int, str] = {one.value[0]: one.name for one in grpc.ChannelConnectivity}


class Connectivity:
    """Looks at the connection of one channel, without keeping the channel alive.

    Args:
        channel: The bare one, of either kind, below all interceptors.
    """

    __slots__ = ("_channel",)

    def __init__(self, channel: Any) -> None:
        self._channel = ref(channel)

    def state(self) -> str:
        """Return ``READY``, ``TRANSIENT_FAILURE`` and so on, as gRPC names them, or UNKNOWN."""
        channel = self._channel()
        if channel is None:
            return UNKNOWN
        if isinstance(channel, grpc.aio.Channel):
            return str(channel.get_state().name)
        # The synchronous kind tells it to subscribers alone, by a thread of its own and late.
        core = getattr(channel, "_channel", None)
        if core is None:
            return UNKNOWN
        try:
            number = core.check_connectivity_state(False)  # noqa: FBT003  Its form.
        except ValueError:
            return UNKNOWN  # It is closed.
        return _NAMES.get(number, UNKNOWN)
