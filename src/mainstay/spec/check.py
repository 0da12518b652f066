"""Checks of a whole system that no single file can know. Pure: values and places in, faults out."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mainstay.spec.address import url_variable
from mainstay.spec.declaration import Declaration, System
from mainstay.spec.dependency import Dependency
from mainstay.spec.faults import Fault, fault_at, nearest, shown
from mainstay.spec.hierarchy import hierarchy_faults
from mainstay.spec.idempotency import idempotency_faults
from mainstay.spec.ratelimit import rate_limit_faults
from mainstay.spec.sessions import session_faults
from mainstay.spec.sharing import sharing_faults
from mainstay.spec.shed import shed_faults
from mainstay.spec.sources import Declared


def system_faults(
    system: System,
    declared: tuple[Declared, ...],
    *,
    environ: Mapping[str, str],
    alone: bool = False,
) -> Iterator[Fault]:
    """Yield what is wrong with a system as a whole.

    Args:
        system: All services that could be read.
        declared: What each member declares, in the order of the members.
        environ: ``MAINSTAY_URL_<SERVICE>`` in it makes a service known that is no member.
        alone: Whether other services need not be known, since one service is loaded for itself.
    """
    doubles = list(_names(system, declared))
    yield from doubles
    yield from _ports(system, declared)
    if not alone:
        yield from _unknown_services(system, declared, environ)
    yield from _without_timeout(system, declared)
    yield from _rate_limits(system, declared)
    yield from _remembering(system, declared)
    yield from _sharing(system, declared)
    yield from _shedding(system, declared)
    if doubles:
        # Who calls whom is not known while a name means two services.
        return
    cycles = list(_cycles(system))
    for cycle in cycles:
        yield _cycle_fault(system, declared, cycle)
    if not cycles:
        yield from hierarchy_faults(system, declared)


def _names(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    first: dict[str, Declared] = {}
    for member, its in zip(system.members, declared, strict=True):
        if member.name in first:
            other = first[member.name].place("service")
            sentence = f"a second service named {member.name}; the first is at {other}"
            yield fault_at(its.place("service"), "service", sentence, found=shown(member.name))
        else:
            first[member.name] = its


def _ports(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    taken: list[tuple[int, str, str, Declared]] = []
    for member, its in zip(system.members, declared, strict=True):
        port, host = member.declaration.edge.port, member.declaration.edge.host
        if port is None or not its.is_sure("edge"):
            continue
        for other_port, other_host, other_name, other in taken:
            if port == other_port and _same_address(host, other_host):
                sentence = (
                    f"port {port} is used twice, also by {other_name} at "
                    f"{other.place('edge.port')}; each service needs a port of its own"
                )
                yield fault_at(its.place("edge.port"), "edge.port", sentence, found=str(port))
                break
        else:
            taken.append((port, host, member.name, its))


def _same_address(one: str, other: str) -> bool:
    """Return whether listeners on both addresses of one port get into each other's way."""
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def _unknown_services(
    system: System, declared: tuple[Declared, ...], environ: Mapping[str, str]
) -> Iterator[Fault]:
    names = [member.name for member in system.members]
    for member, its in zip(system.members, declared, strict=True):
        for name, dependency in member.declaration.dependencies:
            service = dependency.service
            if service is None or service in names or url_variable(service) in environ:
                continue
            path = f"dependencies.{name}.service"
            others = [one for one in names if one != member.name]
            meant = nearest(service, others)
            known = ", ".join(others) or f"none, since {member.name} is loaded alone"
            hint = f"did you mean {meant}?" if meant else f"known here: {known}"
            yield fault_at(
                its.place(path),
                path,
                f"unknown service {service}; {hint}",
                found=shown(service),
                expected="a service of this system",
                nearest=meant,
            )


def _without_timeout(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    """Yield a fault for each required dependency for which nobody said how long it may take.

    A default by kind is a guess about somebody else's program. For an optional dependency a wrong
    guess costs a degraded answer; for a required one it costs the request, so it is to be said.
    ``connect`` alone says nothing about the answer.
    """
    for member, its in zip(system.members, declared, strict=True):
        for name, dependency in member.declaration.dependencies:
            timeout = dependency.timeout
            said = (timeout.total_s, timeout.attempt_s, timeout.read_s)
            if dependency.criticality != "required" or any(one is not None for one in said):
                continue
            path = f"dependencies.{name}"
            if not its.is_sure(path):
                continue
            sentence = (
                "a required dependency without a timeout: declare `timeout: 2s` (the whole call), "
                "or `timeout: {attempt: 800ms}`, or `criticality: optional`"
            )
            yield fault_at(its.place(path), f"{path}.timeout", sentence, expected="a timeout")


def _rate_limits(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    for member, its in zip(system.members, declared, strict=True):
        limits = member.declaration.inbound.rate_limit or ()
        yield from rate_limit_faults(limits, _addressed(system, member.declaration), its)


def _remembering(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    for member, its in zip(system.members, declared, strict=True):
        inbound, dependencies = member.declaration.inbound, _addressed(system, member.declaration)
        yield from idempotency_faults(inbound.idempotency, dependencies, its)
        yield from session_faults(inbound.session, dependencies, its)


def _sharing(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    for member, its in zip(system.members, declared, strict=True):
        yield from sharing_faults(_addressed(system, member.declaration), its)


def _addressed(system: System, declaration: Declaration) -> list[tuple[str, Dependency]]:
    """Return the dependencies; those that are services of the system with the URL they will have.

    The host and the port are the engine's to choose; the scheme is known.
    """
    protocols = {member.name: member.declaration.edge.protocol for member in system.members}
    return [
        (name, replace(one, url=f"{protocols[one.service]}://{one.service}"))
        if one.service in protocols
        else (name, one)
        for name, one in declaration.dependencies
    ]


def _shedding(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    for member, its in zip(system.members, declared, strict=True):
        shed = member.declaration.inbound.shed
        if shed is not None:
            yield from shed_faults(shed, its)


def _cycles(system: System) -> Iterator[tuple[str, ...]]:
    """Yield cycles of the call graph, each as (a, b, c): a calls b, b calls c, c calls a.

    Each service that closes a cycle in a walk from the first service is in one of them; a graph
    that has cycles yields at least one for every group of services that call each other.
    """
    calls = {
        member.name: dict.fromkeys(d.service for _, d in member.declaration.dependencies)
        for member in system.members
    }
    done: set[str] = set()
    for start, called in calls.items():
        # Depth first without recursion: the path, and what is left to visit of each step.
        path, left = [start], [iter(called if start not in done else ())]
        while path:
            following = next(left[-1], None)
            if following is None:
                done.add(path.pop())
                left.pop()
            elif following in path:
                yield tuple(path[path.index(following) :])
            elif following in calls and following not in done:
                path.append(following)
                left.append(iter(calls[following]))


def _cycle_fault(system: System, declared: tuple[Declared, ...], cycle: tuple[str, ...]) -> Fault:
    """Return the fault at the call that closes the cycle."""
    names = [member.name for member in system.members]
    index = names.index(cycle[-1])
    dependency = next(
        name
        for name, one in system.members[index].declaration.dependencies
        if one.service == cycle[0]
    )
    path = f"dependencies.{dependency}.service"
    way = " > ".join([*cycle, cycle[0]])
    sentence = f"the services call each other in a circle: {way}; one of these calls must go"
    return fault_at(declared[index].place(path), path, sentence, found=way)
