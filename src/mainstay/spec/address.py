"""How a process is told where a service of its system is: by an environment variable."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

URL_PATTERN = r"[a-z][a-z0-9+.-]{0,31}://[!-~]{1,2000}"
"""What a declared URL looks like; whether its host and port can be is another question."""

_USERINFO = re.compile(r"(?<=://)\S*@")
_QUERY_VALUE = re.compile(r"(?<=[?&])([^=&#]*=)[^&#]*")


class ToldAddress(NamedTuple):
    """Where a dependency is by the word of the environment, which goes before the declaration.

    Attributes:
        variable: The one that says so.
        url: What it says.
    """

    variable: str
    url: str


def url_variable(name: str) -> str:
    """Return the variable that carries the base URL of ``name``: ``MAINSTAY_URL_CATALOG``."""
    return "MAINSTAY_URL_" + name.upper().replace("-", "_")


def told_address(name: str, service: str | None, environ: Mapping[str, str]) -> ToldAddress | None:
    """Return what the environment says about a dependency, or None where it says nothing.

    The variable of the dependency's own name goes first, then that of the service it names; so
    that a test can point any of them elsewhere.
    """
    for candidate in (name, service):
        if candidate is not None and (url := environ.get(url_variable(candidate))):
            return ToldAddress(url_variable(candidate), url)
    return None


def is_address(url: str) -> bool:
    """Return whether something can be called at ``url``: it has a scheme, and a port if any is one.

    Of HTTP it has a host too; ``unix:///run/valkey.sock`` needs none.
    """
    if not re.fullmatch(URL_PATTERN, url):
        return False
    try:
        parts = urlsplit(url)
        return parts.port != 0 and bool(parts.hostname or parts.scheme not in {"http", "https"})
    except ValueError:
        return False


def shown_address(url: str) -> str:
    """Return a URL for people: without userinfo and the values of its query, which may be secret.

    An ``@`` that is written bare in a password, or in a path, hides more than it must.
    """
    return _QUERY_VALUE.sub(r"\1***", _USERINFO.sub("***@", url))
