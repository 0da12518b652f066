"""Chance that is the same in every run."""

from random import Random


def seeded(seed: int, *names: str) -> Random:
    """Return the generator of one component, derived from the seed of the whole test.

    Give every component a name of its own: then one that draws more, or a new one, doesn't change
    what the others draw. The same in every process and on every platform.

    Args:
        seed: Of the test; print it where the test fails.
        names: Which component; any number of words.
    """
    return Random("/".join((str(seed), *names)))
