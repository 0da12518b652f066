"""A key that nobody declared: made by the first replica of a host that needs one, for all of it.

So a service has sessions without a secret that somebody must make first, and no repository holds
one. It is in a file that is this user's alone; what is found there otherwise is refused.

Who has it holds a lock beside it, shared with all others that do, until the process ends. If the
file is gone while somebody still signs with what was in it, no other key is made: half of the
replicas would not know whom the other half has logged in.
"""

import contextlib
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.kinds.secret import Secret

_RUN_VARIABLE = "MAINSTAY_RUN_DIR"
_KEY_BYTES = 32
"""As long as the hash (RFC 2104, section 3)."""
_TEXT_BYTES = 2 * _KEY_BYTES
_LOOKS_MAX = 200
_LOOK_S = 0.01
"""So often, and after so long, one that starts looks whether another one that does has made it."""

_HELD: dict[Path, int] = {}
"""The locks that this process holds to its end, one for each service: usually one in all."""


def own_key(service: str, environ: Mapping[str, str]) -> Secret:
    """Return the key that signs the sessions of a service on this host.

    It is made where there is none yet. Of several processes that make it at once, all get the
    first one's.

    Args:
        service: Its name, which is a part of the file's.
        environ: ``MAINSTAY_RUN_DIR``, which is a private folder of the system that runs.

    Raises:
        ConfigInvalid: Nobody said where the file may be, or it can't be read, or somebody else
            could; or it is gone, and others of the service still run with what was in it.
    """
    folder = environ.get(_RUN_VARIABLE)
    if not folder:
        sentence = (
            f"{service} declares no `inbound.session.keys`, and only `mainstay up` has a place for "
            "one: write `keys: ['${file:session.key}']`, or start it by `mainstay up`"
        )
        raise ConfigInvalid((sentence,))
    path = Path(folder).resolve() / f"{service}.session-key"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Secret(str(path), _shared(path))
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigInvalid((f"the key of sessions can't be had from {path}: {why}",)) from error


def _shared(path: Path) -> str:
    """Return the key, which this process then uses to its end."""
    lock = os.open(
        path.with_name(f"{path.name}.users"),
        os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
    )
    try:
        key = _agreed(path, lock)
    except BaseException:
        os.close(lock)
        raise
    if _HELD.setdefault(path, lock) != lock:
        os.close(lock)
    return key


def _agreed(path: Path, lock: int) -> str:
    for _ in range(_LOOKS_MAX):
        # First the lock, then the look: who makes one has made sure that nobody has this.
        fcntl.flock(lock, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Somebody uses a key, or looks for one in this moment: then one of them makes it.
            fcntl.flock(lock, fcntl.LOCK_UN)
            threading.Event().wait(_LOOK_S * (1.0 + secrets.randbelow(100) / 100.0))
            continue
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        _make(path)
    raise OSError(
        "it is gone, and other replicas still run with it; put it back, or end them all (`mainstay "
        "down`) and start anew, which signs everybody out"
    )


def _read(path: Path) -> str:
    # No link is followed, and nothing is waited for that only looks like a file.
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        is_private = found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
        if not (stat.S_ISREG(found.st_mode) and is_private):
            raise OSError("it is not a file of this user alone; remove it")
        key = file.read(_TEXT_BYTES + 1)
    if len(key) != _TEXT_BYTES:
        raise OSError("it holds no key; remove it")
    return key.decode("ascii", "replace")


def _make(path: Path) -> None:
    """Make the file, whole from its first moment on; that somebody else was first is no error."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
