"""The timeout hierarchy: nobody waits shorter than what lies under it may take.

Compared is what was declared. A default never makes a fault: where nothing is declared, the one
deadline of the request bounds the call when it runs. For a call, the longest is the lesser of its
declared total and attempts × attempt timeout + pauses; for a call to another service without
either, it is the longest of the calls that the other one makes, and so on down the call graph.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mainstay.spec.declaration import Member, System
from mainstay.spec.dependency import Dependency
from mainstay.spec.faults import Fault, Place, fault_at
from mainstay.spec.kinds.units import duration_text
from mainstay.spec.sources import Declared
from mainstay.spec.timeouts import derived_text, derived_total_s, resolve_timeouts

_DEADLINE = "inbound.deadline"
_EDGE_TIMEOUT = "edge.timeout"
# After these the first try may have taken its whole time before the second begins.
_LATE_CONDITIONS = frozenset({"5xx", "gateway", "reset"})
# Durations are exact to the nanosecond, their sums are not.
_TOLERANCE_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Longest:
    """The longest that something may take, and the arithmetic that says so."""

    s: float
    text: str


class _Graph:
    """The services by name, and the longest path under each, worked out once."""

    def __init__(self, system: System, declared: tuple[Declared, ...]) -> None:
        self.members = {
            member.name: (member, its) for member, its in zip(system.members, declared, strict=True)
        }
        self._paths: dict[str, _Longest | None] = {}

    def path(self, service: str) -> _Longest | None:
        """Return the longest call under a service, within its own bounds; None where unknown."""
        if service not in self._paths:
            member, its = self.members[service]
            calls = [
                _Longest(s=call.s, text=f"{name}: {call.text}")
                for name, dependency in member.declaration.dependencies
                if (call := self.call(dependency)) is not None
            ]
            longest = max(calls, key=lambda one: one.s, default=None)
            bounds = [member.declaration.inbound.deadline_s]
            if its.has(_EDGE_TIMEOUT) and member.declaration.edge.timeout_s is not None:
                bounds.append(member.declaration.edge.timeout_s)
            if longest is not None and longest.s > min(bounds):
                text = f"{longest.text}, cut at {duration_text(min(bounds))}"
                longest = _Longest(s=min(bounds), text=text)
            self._paths[service] = longest
        return self._paths[service]

    def call(self, dependency: Dependency) -> _Longest | None:
        """Return the longest that a call may take, or None where nothing is declared."""
        own = own_longest(dependency)
        if own is not None or dependency.service not in self.members:
            return own
        under = self.path(dependency.service)
        if under is None:
            return None
        return _Longest(s=under.s, text=f"{dependency.service} > {under.text}")


def own_longest(dependency: Dependency) -> _Longest | None:
    """Return the longest that a call may take by its own timeouts alone."""
    total_s, derived_s = dependency.timeout.total_s, derived_total_s(dependency)
    if derived_s is not None and (total_s is None or derived_s < total_s):
        return _Longest(s=derived_s, text=derived_text(dependency))
    if total_s is None:
        return None
    return _Longest(s=total_s, text=f"timeout.total {duration_text(total_s)}")


def hierarchy_faults(system: System, declared: tuple[Declared, ...]) -> Iterator[Fault]:
    """Yield a fault for each that waits shorter than what lies under it.

    The services have names of their own, and no cycle of calls. Each fault stands at the key
    that should change.
    """
    graph = _Graph(system, declared)
    for member, its in graph.members.values():
        yield from _edge(member, its)
        for name, dependency in member.declaration.dependencies:
            if not its.is_sure(f"dependencies.{name}"):
                continue
            yield from _deadline(member, its, name, graph.call(dependency))
            yield from _deadline_by_default(member, its, name, dependency)
            yield from _callee(its, name, dependency, graph)
            yield from _least(member, its, name, dependency)


def _shorter(one_s: float, other_s: float) -> bool:
    return one_s < other_s - _TOLERANCE_S


def _deadline(member: Member, its: Declared, name: str, call: _Longest | None) -> Iterator[Fault]:
    """Compare what bounds a request, as declared, with one call under it."""
    limits = (
        (_DEADLINE, "deadline", member.declaration.inbound.deadline_s),
        (_EDGE_TIMEOUT, "edge.timeout", member.declaration.edge.timeout_s),
    )
    for path, word, limit_s in limits:
        if not its.has(path) or limit_s is None or call is None:
            continue
        if _shorter(limit_s, call.s):
            sentence = (
                f"{word} {duration_text(limit_s)} is shorter than {name}: {call.text}; "
                f"raise {path} or declare a shorter timeout.total for {name}"
            )
            yield _fault(its.place(path), path, sentence, limit_s, call.s)
        return


def _deadline_by_default(
    member: Member, its: Declared, name: str, dependency: Dependency
) -> Iterator[Fault]:
    """Compare a call with a deadline that nobody declared.

    Retries and pauses count only where the number of attempts is declared: defaults give way.
    """
    if any(its.has(path) or not its.is_sure(path) for path in (_DEADLINE, _EDGE_TIMEOUT)):
        return
    path = f"dependencies.{name}"
    call = own_longest(dependency)
    attempt_s = dependency.timeout.attempt_s
    if dependency.timeout.total_s is None and isinstance(attempt_s, float):
        if not its.has(f"{path}.retry.attempts"):
            call = _Longest(s=attempt_s, text=f"timeout.attempt {duration_text(attempt_s)}")
        path += ".timeout.attempt"
    else:
        path += ".timeout.total"
    deadline_s = member.declaration.inbound.deadline_s
    if call is not None and _shorter(deadline_s, call.s):
        sentence = (
            f"{call.text} is longer than a request may take: inbound.deadline is "
            f"{duration_text(deadline_s)} by default; declare a longer one, or lower this"
        )
        yield _fault(its.place(path), path, sentence, call.s, deadline_s)


def _callee(its: Declared, name: str, dependency: Dependency, graph: _Graph) -> Iterator[Fault]:
    """Compare a call to another service with what the other one declares."""
    own = own_longest(dependency)
    if own is None or dependency.service not in graph.members:
        return
    timeout = dependency.timeout
    attempt_s, key = timeout.total_s, "total"
    if isinstance(timeout.attempt_s, float) and own.s >= timeout.attempt_s:
        attempt_s, key = timeout.attempt_s, "attempt"
    assert attempt_s is not None, "a call that bounds itself has a total or an attempt"
    path = f"dependencies.{name}.timeout.{key}"
    callee, callees = graph.members[dependency.service]
    under = graph.path(dependency.service)
    if under is not None and _shorter(attempt_s, under.s):
        sentence = (
            f"{key} {duration_text(attempt_s)} is shorter than what {callee.name} calls in turn: "
            f"{under.text}; raise it, or lower the timeout at {callees.place('dependencies')}"
        )
        yield _fault(its.place(path), path, sentence, attempt_s, under.s)
        return
    deadline_s = callee.declaration.inbound.deadline_s
    if callees.has(_DEADLINE) and deadline_s != math.inf and _shorter(own.s, deadline_s):
        sentence = (
            f"{own.text} is shorter than inbound.deadline {duration_text(deadline_s)} of "
            f"{callee.name}; raise it, or lower the deadline at {callees.place(_DEADLINE)}"
        )
        yield _fault(its.place(path), path, sentence, own.s, deadline_s)


def _least(member: Member, its: Declared, name: str, dependency: Dependency) -> Iterator[Fault]:
    """Compare what must be left for an attempt with what there is: else none would ever begin."""
    least_s = dependency.timeout.least_s
    # One that is wrong is not the default that stands in for it: it bounds nothing here.
    deadline_s = member.declaration.inbound.deadline_s if its.is_sure(_DEADLINE) else None
    total_s = resolve_timeouts(dependency, deadline_s=deadline_s).total_s
    if least_s is not None and least_s >= total_s:
        path = f"dependencies.{name}.timeout.least"
        sentence = (
            f"no attempt would ever begin: least {duration_text(least_s)} is not below the total, "
            f"{duration_text(total_s)}"
        )
        yield _fault(its.place(path), path, sentence, least_s, total_s)


def _edge(member: Member, its: Declared) -> Iterator[Fault]:
    """Compare the proxy's timeout with the deadline of the service behind it."""
    edge, deadline_s = member.declaration.edge, member.declaration.inbound.deadline_s
    if edge.timeout_s is None or not its.has(_EDGE_TIMEOUT) or not its.has(_DEADLINE):
        return
    if deadline_s == math.inf:
        # It is off, so the proxy's alone holds.
        return
    place = its.place(_EDGE_TIMEOUT)
    timeout = f"edge.timeout {duration_text(edge.timeout_s)}"
    if _shorter(edge.timeout_s, deadline_s):
        sentence = f"{timeout} is shorter than inbound.deadline {duration_text(deadline_s)}"
        yield _fault(place, _EDGE_TIMEOUT, sentence, edge.timeout_s, deadline_s)
        return
    retry = edge.retry
    if retry is None or not its.has("edge.retry.attempts") or not its.has("edge.retry.on"):
        return
    tries_s = retry.attempts * deadline_s
    late = [condition for condition in retry.on if condition in _LATE_CONDITIONS]
    if late and _shorter(edge.timeout_s, tries_s):
        sentence = (
            f"{timeout} is shorter than {retry.attempts} x {duration_text(deadline_s)} = "
            f"{duration_text(tries_s)}: after {late[0]} the last try would be cut; raise "
            f"edge.timeout or lower inbound.deadline"
        )
        yield _fault(place, _EDGE_TIMEOUT, sentence, edge.timeout_s, tries_s)


def _fault(place: Place, path: str, sentence: str, found_s: float, other_s: float) -> Fault:
    bound = "at most" if found_s > other_s else "at least"
    return fault_at(
        place,
        path,
        sentence,
        found=duration_text(found_s),
        expected=f"{bound} {duration_text(other_s)}",
    )
