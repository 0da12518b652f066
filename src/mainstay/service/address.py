"""Where a dependency is: the engine's word, else the declared URL."""

from collections.abc import Mapping

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.address import told_address, url_variable
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.kinds.secret import Secret, reveal


class AddressUnknown(ConfigInvalid):
    """A dependency is not declared, or nobody said where it is. The sentence says what to do."""


def address_of(
    name: str, dependency: Dependency, environ: Mapping[str, str]
) -> str | Secret | None:
    """Return the URL of a dependency, or None where nobody said.

    The variable of the dependency's own name goes first, then that of the service it names, then
    the declared ``url``; so that a test can point any of them elsewhere.
    """
    told = told_address(name, dependency.service, environ)
    return dependency.url if told is None else told.url


def base_url(name: str, declaration: Declaration, environ: Mapping[str, str]) -> str:
    """Return the base URL of a dependency, named as declared or by its service; no slash ends it.

    Raises:
        AddressUnknown: No such dependency, or nobody said where it is.
    """
    for known, dependency in declaration.dependencies:
        if name in {known, dependency.service}:
            url = address_of(known, dependency, environ)
            if url is None:
                start = f"start {declaration.service} with `mainstay up`"
                raise AddressUnknown(
                    (f"nobody said where {known!r} is: {start}, or set {url_variable(known)}",)
                )
            return reveal(url).rstrip("/")
    names = ", ".join(known for known, _ in declaration.dependencies) or "none"
    declared = f"{declaration.service} declares no dependency {name!r} (it declares: {names})"
    mend = f"`dependencies: {{{name}: {{service: {name}}}}}`"
    raise AddressUnknown((f"{declared}: add {mend} to its mainstay.yaml",))
