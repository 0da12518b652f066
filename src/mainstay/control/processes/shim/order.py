"""The order: what a shim is told to run, as bytes over an inherited socket.

Fields are joined by NUL, which neither an argument, a path nor a variable can hold; so bytes arrive
exactly as they were, whatever the locale, and the shim needs no parser. The environment has the
secrets: it is in this order and nowhere else, neither on a command line nor in a file.
"""

ORDER_BYTES_MAX = 4 * 2**20
"""Above what any system takes as arguments and environment of one process."""

_MARK = b"mainstay-order-1"
_END = b"end"
_FIXED = 7


class Order:
    """What to run and where its traces go.

    A plain class and no dataclass: importing dataclasses would double the shim's memory.

    Attributes:
        name: The replica's name, for people.
        cwd: Working folder of the child.
        log_path: Where the child's output goes; older files beside it end in ``.1`` to ``.3``.
        end_path: Where the record of the child's life goes.
        log_bytes_max: Bound of one log file.
        memory_max_bytes: Bound of the resident memory of the child's tree; None for no bound.
        argv: The program and its arguments; at least one.
        env: The child's complete environment.
    """

    __slots__ = (
        "argv", "cwd", "end_path", "env", "log_bytes_max", "log_path", "memory_max_bytes", "name",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: bytes,
        cwd: bytes,
        log_path: bytes,
        end_path: bytes,
        log_bytes_max: int,
        memory_max_bytes: int | None,
        argv: list[bytes],
        env: dict[bytes, bytes],
    ) -> None:
        self.name = name
        self.cwd = cwd
        self.log_path = log_path
        self.end_path = end_path
        self.log_bytes_max = log_bytes_max
        self.memory_max_bytes = memory_max_bytes
        self.argv = argv
        self.env = env


def pack(order: Order) -> bytes:
    """Return ``order`` as bytes that ``unpack`` reads.

    Raises:
        ValueError: A field holds a NUL, a variable's name is empty or holds ``=``, there is nothing
            to run, or it is all longer than ``ORDER_BYTES_MAX``. The sentence shows no value.
    """
    if not order.argv:
        raise ValueError("there is no program to run")
    for name in order.env:
        if not name or b"=" in name:
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
    fields = [
        _MARK,
        order.name,
        order.cwd,
        order.log_path,
        order.end_path,
        b"%d" % order.log_bytes_max,
        b"%d" % (order.memory_max_bytes or 0),
        b"%d" % len(order.argv),
        *order.argv,
        *(name + b"=" + value for name, value in order.env.items()),
        _END,
    ]
    if any(b"\0" in field for field in fields):
        raise ValueError("an argument, a path or a variable holds a NUL byte")
    packed = b"\0".join(fields)
    if len(packed) > ORDER_BYTES_MAX:
        raise ValueError(f"arguments and environment are longer than {ORDER_BYTES_MAX} bytes")
    return packed


def unpack(packed: bytes) -> Order:
    """Return the order in ``packed``.

    Raises:
        ValueError: It is not a whole order: the one who sent it died while sending.
    """
    mark, *fields = packed.split(b"\0")
    if mark != _MARK or len(fields) < _FIXED + 2 or fields[-1] != _END:
        raise ValueError("the order did not arrive whole")
    name, cwd, log_path, end_path, log_max, memory_max, argc = fields[:_FIXED]
    rest = fields[_FIXED:-1]
    pairs = (variable.partition(b"=") for variable in rest[int(argc) :])
    return Order(
        name=name,
        cwd=cwd,
        log_path=log_path,
        end_path=end_path,
        log_bytes_max=int(log_max),
        memory_max_bytes=int(memory_max) or None,
        argv=rest[: int(argc)],
        env={variable: value for variable, _, value in pairs},
    )
