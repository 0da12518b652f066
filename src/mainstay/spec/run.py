"""``run:`` how the processes of a service are started and kept."""

from dataclasses import dataclass

from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, MapOf, Section, Text, Whole
from mainstay.spec.kinds.quantities import duration, duration_range, size
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.kinds.units import Between

ENV_NAME = Text(what="an environment variable's name", pattern=r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """What happens when a process of the service ends by itself."""

    backoff: Between = key(
        "backoff",
        duration_range("100ms..10s"),
        default=Between(low_s=0.1, high_s=10.0),
        doc="Pause before a replica that failed to become ready is started again: the first one, "
        "doubled up to the last. A replica that was serving is replaced at once.",
    )
    crashes: int = key(
        "crashes",
        Whole(minimum=1, maximum=100),
        default=5,
        doc="So many failed starts within `window` are a crash loop: reported as such, and tried "
        "again at the longest pause only.",
    )
    window_s: float = key(
        "window", duration("60s"), default=60.0, doc="The window in which `crashes` are counted."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The processes of a service."""

    replicas: int = key(
        "replicas",
        Whole(minimum=0, maximum=64),
        default=3,
        doc="How many processes serve at once. 3 is the least of the readiness reference "
        "(horizontal, 3 instances minimum).",
    )
    server: str = key(
        "server",
        Choice(("granian", "uvicorn")),
        default="granian",
        doc="What serves `app`; uvicorn serves ASGI only.",
    )
    interface: str = key(
        "interface",
        Choice(("auto", "asgi", "wsgi")),
        default="auto",
        doc="What `app` speaks; auto looks at the object.",
    )
    threads: int = key(
        "threads",
        Whole(minimum=1, maximum=512),
        default=16,
        doc="Requests that one WSGI process works on at once.",
    )
    memory_max_bytes: int | None = key(
        "memory_max",
        size("512MiB", minimum=16 * 2**20),
        default=None,
        off=True,
        doc="A replica whose resident memory goes above this is ended and replaced.",
    )
    env: tuple[tuple[str, str | Secret], ...] = key(
        "env",
        MapOf(ENV_NAME, Text(what="a text", secret=True)),
        default=(),
        doc="Environment variables of the process, over the daemon's own.",
    )
    cwd: str = key(
        "cwd",
        Text(what="a folder, relative to the declaration's"),
        default=".",
        doc="Working folder of the process, relative to the declaration's folder.",
    )
    start_timeout_s: float = key(
        "start_timeout",
        duration("30s"),
        default=30.0,
        doc="A replica that is not ready after this is ended and counts as a failed start.",
    )
    hang_timeout_s: float = key(
        "hang_timeout",
        duration("30s"),
        default=30.0,
        doc="A replica that the edge's health checks have found unhealthy for so long is replaced.",
    )
    log_bytes_max: int = key(
        "log_max",
        size("16MiB", minimum=64 * 2**10, maximum=2**30),
        default=16 * 2**20,
        doc="Size of one log file of one replica; four such files are kept.",
    )
    restart: Restart = key(
        "restart", Section(Restart), default=Restart(), doc="When a process ends by itself."
    )
