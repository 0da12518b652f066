"""A key that nobody declared: made by the first replica of a host that needs one, for all of it.

So a service has sessions without a secret that somebody must make first, and no repository holds
one. It is in a file that is this user's alone; what is found there otherwise is refused.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.kinds.secret import Secret

_RUN_VARIABLE = "MAINSTAY_RUN_DIR"
_KEY_BYTES = 32
"""As long as the hash (RFC 2104, section 3)."""
_TEXT_BYTES = 2 * _KEY_BYTES


def own_key(service: str, environ: Mapping[str, str]) -> Secret:
    """Return the key that signs the sessions of a service on this host.

    It is made where there is none yet. Of several processes that make it at once, all get the
    first one's.

    Args:
        service: Its name, which is a part of the file's.
        environ: ``MAINSTAY_RUN_DIR``, which is a private folder of the system that runs.

    Raises:
        ConfigInvalid: Nobody said where the file may be, or it can't be read, or somebody else
            could.
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
        with contextlib.suppress(FileNotFoundError):
            return Secret(str(path), _read(path))
        _make(path)
        return Secret(str(path), _read(path))
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigInvalid((f"the key of sessions can't be had from {path}: {why}",)) from error


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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(secrets.token_hex(_KEY_BYTES).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
