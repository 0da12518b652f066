"""``breaker.share: STORE``: what is wrong with where a circuit is told of."""

from collections.abc import Iterator, Sequence

from mainstay.spec.dependency import HOST, Dependency
from mainstay.spec.faults import Fault, fault_at, shown
from mainstay.spec.sources import Declared
from mainstay.spec.stores import store_faults


def sharing_faults(
    dependencies: Sequence[tuple[str, Dependency]], declared: Declared
) -> Iterator[Fault]:
    """Yield a fault for each breaker whose store is not declared, can't be one, or is its own.

    Args:
        dependencies: Of one service.
        declared: Where its keys stand.
    """
    for name, dependency in dependencies:
        share = None if dependency.breaker is None else dependency.breaker.share
        if share is None or share == HOST:
            continue
        path = f"dependencies.{name}.breaker.share"
        if share == name and declared.is_sure(path):
            sentence = f"{name} can't tell of itself: while it fails, nobody would hear of it"
            yield fault_at(declared.place(path), path, sentence, found=shown(share))
        else:
            yield from store_faults(share, path, dependencies, declared)
