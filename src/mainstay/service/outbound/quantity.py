"""Options as people write them: seconds as numbers or ``800ms``, shares as ``0.2`` or ``20%``."""

import math
from functools import lru_cache

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.kinds import units
from mainstay.spec.kinds.units import DURATION_S_MAX, Between, ShareOfCalls, UnitError

Duration = float | str
"""Seconds, or text such as ``800ms``."""


@lru_cache(maxsize=256)
def seconds_of(text: str) -> float:
    """Return the seconds of ``800ms``; remembered, since the same few are read again and again.

    Raises:
        UnitError: Not a duration.
    """
    return units.duration_s(text.strip())


class Options:
    """Reads the options of one part and collects what is wrong with them.

    Each reader returns a value that is right, a wrong one's own bound standing in for it, so that
    one fault does not hide the next; ``done`` raises them all.
    """

    __slots__ = ("_faults", "_part")

    def __init__(self, part: str) -> None:
        self._part = part
        self._faults: list[str] = []

    def wrong(self, name: str, expected: str, found: object) -> None:
        """Note one fault."""
        self._faults.append(f"{self._part}({name}=...): expected {expected}, found {found!r}")

    def done(self) -> None:
        """Raise ConfigInvalid with all faults, or return."""
        if self._faults:
            raise ConfigInvalid(tuple(self._faults))

    def seconds(
        self,
        name: str,
        value: object,
        *,
        minimum: float = 0.001,
        maximum: float = DURATION_S_MAX,
    ) -> float:
        """Read seconds or a text with a unit, within bounds in seconds.

        Args:
            name: Of the option, for the fault.
            value: As the user gave it: 0.8, or ``"800ms"``.
            minimum: Seconds.
            maximum: Seconds.

        Returns:
            ``minimum`` where there is a fault, which is kept: see ``done``. So do the others.
        """
        found: float | None = None
        if isinstance(value, str):
            try:
                found = seconds_of(value)
            except UnitError:
                found = None
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = float(value)
        if found is None or math.isnan(found) or not minimum <= found <= maximum:
            bounds = f"{units.duration_text(minimum)} to {units.duration_text(maximum)}"
            self.wrong(name, f"seconds or a text such as '800ms', {bounds}", value)
            return minimum
        return found

    def whole(self, name: str, value: object, minimum: int, maximum: int) -> int:
        """Read a whole number within bounds; True is not 1."""
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            self.wrong(name, f"a whole number, {minimum} to {maximum}", value)
            return minimum
        return value

    def number(self, name: str, value: object, minimum: float, maximum: float) -> float:
        """Read a plain number within bounds."""
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and minimum <= value <= maximum
        ):
            return float(value)
        self.wrong(name, f"a number, {_plain(minimum)} to {_plain(maximum)}", value)
        return minimum

    def share(self, name: str, value: object) -> float:
        """Read a share of 1, or a percentage."""
        if isinstance(value, str):
            try:
                return units.share(value.strip())
            except UnitError:
                self.wrong(name, "a share such as 0.2 or '20%'", value)
                return 0.0
        return self.number(name, value, 0.0, 1.0)

    def rate(self, name: str, value: object, *, zero: bool = True) -> float:
        """Read how many a second, as a number or as ``50/s``; zero is a number only.

        Args:
            name: Of the option.
            value: As given.
            zero: Whether none at all may be meant; else one a second stands in for it.
        """
        if not zero and value == 0 and not isinstance(value, bool):
            self.wrong(name, "more than nothing", value)
            return 1.0
        if isinstance(value, str):
            try:
                return units.rate_per_s(value.strip())
            except UnitError:
                self.wrong(name, "a rate such as 50.0 (a second) or '50/s'", value)
                return 0.0
        return self.number(name, value, 0.0, units.RATE_PER_S_MAX)

    def between(self, name: str, value: object) -> Between:
        """Read ``50ms..1s``, or two numbers of seconds."""
        told = len(self._faults)
        try:
            if isinstance(value, Between):
                return value
            if isinstance(value, str):
                return units.between(value.strip())
        except UnitError:
            pass
        else:
            if isinstance(value, tuple) and len(value) == 2:  # noqa: PLR2004  Both ends.
                low_s = self.seconds(name, value[0], minimum=0.0)
                high_s = self.seconds(name, value[1], minimum=0.0)
                if low_s <= high_s:
                    return Between(low_s=low_s, high_s=high_s)
        # Of an end that is none, enough is said.
        if len(self._faults) == told:
            self.wrong(name, "a range such as '50ms..1s' or (0.05, 1.0)", value)
        return Between(low_s=0.0, high_s=0.0)

    def share_of_calls(self, name: str, value: object) -> ShareOfCalls | None:
        """Read ``50% of 20 in 30s``; None is none."""
        if isinstance(value, ShareOfCalls) and not _measurable(value):
            self.wrong(name, "a share of at least one call over one window", value)
            return None
        if value is None or isinstance(value, ShareOfCalls):
            return value
        if isinstance(value, str):
            try:
                return units.share_of_calls(value.strip())
            except UnitError as error:
                self.wrong(name, f"'50% of 20 in 30s' or '50% of 20 in 100 calls' ({error})", value)
                return None
        self.wrong(name, "'50% of 20 in 30s' or '50% of 20 in 100 calls'", value)
        return None

    def names(self, name: str, value: object) -> None:
        """Check that a value is a tuple of texts; a single text is a common mistake."""
        if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
            self.wrong(name, "a tuple of names", value)

    def function(self, name: str, value: object) -> None:
        """Check that a value can be called, or is None."""
        if value is not None and not callable(value):
            self.wrong(name, "a function", value)

    def text(self, name: str, value: object, maximum: int) -> None:
        """Check that a value is a text that is not empty, of at most so many characters."""
        if not isinstance(value, str) or not 1 <= len(value) <= maximum:
            self.wrong(name, f"a text of 1 to {maximum} characters", value)

    def choice(self, name: str, value: object, words: tuple[str, ...]) -> str:
        """Read one of a few words."""
        if not isinstance(value, str) or value not in words:
            self.wrong(name, "one of " + ", ".join(words), value)
            return words[0]
        return value


def _plain(number: float) -> str:
    """Return a bound as people write it: ``1000000``, not ``1e+06``."""
    return str(int(number)) if number == int(number) else f"{number:g}"


def _measurable(share: ShareOfCalls) -> bool:
    """Return whether a share made by hand is one that its text could say."""
    calls, seconds = share.window_calls, share.window_s
    window = (calls is None) != (seconds is None) and (
        seconds > 0 if seconds is not None else (calls or 0) >= share.calls_min
    )
    return window and share.calls_min >= 1 and 0 < share.share <= 1
