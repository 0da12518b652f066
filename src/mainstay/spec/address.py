"""How a process is told where a service of its system is: by an environment variable."""


def url_variable(name: str) -> str:
    """Return the variable that carries the base URL of ``name``: ``MAINSTAY_URL_CATALOG``."""
    return "MAINSTAY_URL_" + name.upper().replace("-", "_")
