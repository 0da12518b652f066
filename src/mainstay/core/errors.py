"""Every error of Mainstay. A branch answers the caller's question: may I try again?

    MainstayError
    ├── ConfigInvalid        the declaration is wrong: mend it, a retry changes nothing
    ├── PartMissing          a real part (Envoy, Granian, …) is not installed: install it
    ├── EdgeRefused          the proxy refused a configuration; the last good one still serves
    ├── EdgeUnavailable      the proxy did not answer in time: trying again may help
    ├── EngineRefused        the engine cannot do what was asked in its present state
    │   ├── AlreadyRunning   another daemon holds this system
    │   └── NotRunning       no daemon runs this system
    └── LoadRefused          a load test cannot run as asked

A room may add leaves below these; it never adds a second root.
"""


class MainstayError(Exception):
    """The root. ``str(error)`` is one sentence for people; attributes are for machines."""


class ConfigInvalid(MainstayError):
    """A declaration has faults, all of which are in ``faults``, in the order of their place.

    Args:
        faults: What is wrong; each one prints itself as one line with file, line and column.
    """

    def __init__(self, faults: "tuple[object, ...]") -> None:
        assert faults, "an invalid declaration names at least one fault"
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class PartMissing(MainstayError):
    """A real part that this work needs is not installed. The sentence says how to get it."""


class EdgeRefused(MainstayError):
    """The proxy refused a configuration and goes on with the last good one."""


class EdgeUnavailable(MainstayError):
    """The proxy did not answer within its bound; it may answer later."""


class EngineRefused(MainstayError):
    """The engine cannot do what was asked in its present state."""


class AlreadyRunning(EngineRefused):
    """Another daemon holds this system; ``pid`` is its process.

    Args:
        message: One sentence for people.
        pid: Process id of the daemon that runs, or 0 where it is not known.
    """

    def __init__(self, message: str, *, pid: int) -> None:
        self.pid = pid
        super().__init__(message)


class NotRunning(EngineRefused):
    """No daemon runs this system."""


class LoadRefused(MainstayError):
    """A load test cannot run as it was asked for."""
