"""`mainstay explain`."""

import json
import os
from pathlib import Path

import click

from mainstay.core.errors import MainstayError

INBOUND = "inbound"
"""In place of a dependency: what holds for requests that arrive."""

_VALUE_WIDTH_MAX = 40
"""Longer values push their source aside."""


class NothingToExplain(MainstayError):
    """No service declares the dependency, or several do and none was named."""


@click.command()
@click.argument("dependency")
@click.argument("path", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--service", metavar="NAME", help="Which service calls it, where several do.")
@click.option("--env", metavar="NAME", help="Lay mainstay.NAME.yaml over; default: MAINSTAY_ENV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def command(
    dependency: str, path: Path, service: str | None, env: str | None, *, as_json: bool
) -> None:
    """Show the policy of DEPENDENCY, and where each value came from.

    `mainstay explain inbound` shows what happens to requests that arrive.

    PATH is a mainstay.yaml or its folder. The lines are in the order in which a call (or a
    request) meets the parts, outer to inner; values are as they would be declared.
    """
    # Only here: help must not pay for YAML.
    from mainstay.spec.explained import explained
    from mainstay.spec.explained_inbound import explained_inbound
    from mainstay.spec.load import load_system

    loaded = load_system(path, env=env, environ=os.environ)
    declarations = {member.name: member.declaration for member in loaded.system.members}
    if dependency == INBOUND:
        subject = _only(list(declarations), service)
        title = f"requests that arrive at {subject}; outer to inner:"
        lines = explained_inbound(declarations[subject], loaded.sources[subject])
        named = {"service": subject}
    else:
        callers = {
            name: [known for known, _ in declaration.dependencies]
            for name, declaration in declarations.items()
        }
        subject = _caller(callers, dependency, service)
        title = f"{dependency}, as {subject} calls it; outer to inner:"
        lines = explained(declarations[subject], dependency, loaded.sources[subject], os.environ)
        named = {"dependency": dependency, "service": subject}
    if as_json:
        values = {line.key: {"value": line.value, "from": line.source} for line in lines}
        click.echo(json.dumps({**named, "values": values}))
        return
    click.echo(f"{title}\n")
    key_width = max(len(line.key) for line in lines)
    value_width = max(len(line.value) for line in lines if len(line.value) <= _VALUE_WIDTH_MAX)
    for line in lines:
        click.echo(f"  {line.key:<{key_width}}  {line.value:<{value_width}}  {line.source}")


def _only(services: list[str], service: str | None) -> str:
    """Return the service that is meant.

    Raises:
        NothingToExplain: There is no such one, or there are several and none was named.
    """
    if service is None and len(services) == 1:
        return services[0]
    if service is None:
        which = " or ".join(f"--service {name}" for name in services)
        raise NothingToExplain(f"there are several services here: say {which}")
    if service not in services:
        raise NothingToExplain(
            f"there is no service {service!r} here; there are: {', '.join(services)}"
        )
    return service


def _caller(callers: dict[str, list[str]], dependency: str, service: str | None) -> str:
    """Return the service whose call is meant.

    Raises:
        NothingToExplain: There is none, or more than one.
    """
    if service is not None:
        _only(list(callers), service)
    found = [
        name for name, known in callers.items() if dependency in known and service in {None, name}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        which = " or ".join(f"--service {name}" for name in found)
        raise NothingToExplain(f"several services call {dependency}: say {which}")
    declared = sorted({one for known in callers.values() for one in known})
    if not declared:
        raise NothingToExplain(
            "no dependency is declared here; `mainstay explain inbound` shows what happens to "
            "requests that arrive"
        )
    raise NothingToExplain(
        f"nobody declares a dependency {dependency!r}; declared are: {', '.join(declared)}"
    )
