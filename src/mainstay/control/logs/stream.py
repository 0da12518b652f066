"""The logs of many replicas as one stream, by the times that their lines say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mainstay.control.logs.entry import Entry, entry_of
from mainstay.control.logs.follower import Follower, Line, every, log_files
from mainstay.control.logs.wanted import EDGE, Wanted


@dataclass(kw_only=True, eq=False)
class Stream:
    """Reads all logs of a folder that are wanted, those of replicas that come later included.

    Attributes:
        folder: Of the logs.
        names: Services or replicas; all for none.
        wanted: Which lines; of a trace, with the requests that were found to be of it.
    """

    folder: Path
    names: Sequence[str]
    wanted: Wanted
    _followers: dict[Path, Follower] = field(default_factory=dict)
    _latest_s: dict[Path, float] = field(default_factory=dict)

    @property
    def behind(self) -> bool:
        """Whether there is more that was not read yet."""
        return any(one.behind for one in self._followers.values())

    @property
    def cut(self) -> bool:
        """Whether a log was too long to be looked through whole."""
        return any(one.cut for one in self._followers.values())

    def begin(self, lines: int) -> list[Entry]:
        """Return the last lines of each log that are wanted, by their times."""
        self._learn(lines)
        found: list[tuple[float, Entry]] = []
        asked = every if self.wanted.anything else self._wants
        for path in log_files(self.folder, self.names):
            follower = self._followers[path] = Follower(path=path)
            entries = [entry_of(line) for line in follower.tail(lines, asked)]
            first_s = next((one.at_s for one in entries if one.at_s is not None), None)
            self._latest_s[path] = _changed_s(path) if first_s is None else first_s
            found += self._timed(path, entries)
        return _sorted(found)

    def more(self, now_s: float) -> list[Entry]:
        """Return what came since the last look, by its times.

        Args:
            now_s: Wall time, for lines of a log in which none has said one yet.
        """
        came: dict[Path, list[Entry]] = {}
        for path in log_files(self.folder, self.names):
            # A replica that started since then: all that it wrote.
            follower = self._followers.get(path)
            if follower is None:
                follower = self._followers[path] = Follower(path=path)
            self._latest_s.setdefault(path, now_s)
            came[path] = [entry_of(line) for line in follower.more()]
            self.wanted = self.wanted.knowing(came[path])
        found: list[tuple[float, Entry]] = []
        for path, entries in came.items():
            found += self._timed(path, [one for one in entries if self.wanted.admits(one)])
        return _sorted(found)

    def close(self) -> None:
        """Let go of the files."""
        for follower in self._followers.values():
            follower.close()

    def _learn(self, lines: int) -> None:
        """Find the requests of the trace, from what the services say, whoever is to be shown."""
        if self.wanted.trace is None:
            return
        of_trace = Wanted(trace=self.wanted.trace)
        for path in log_files(self.folder, ()):
            if path.stem == EDGE:
                continue
            follower = Follower(path=path)
            try:
                found = follower.tail(lines, lambda line: of_trace.admits(entry_of(line)))
            finally:
                follower.close()
            self.wanted = self.wanted.knowing(entry_of(line) for line in found)

    def _wants(self, line: Line) -> bool:
        return self.wanted.admits(entry_of(line))

    def _timed(self, path: Path, entries: Iterable[Entry]) -> list[tuple[float, Entry]]:
        """Return entries with times: what says none came with the line before it."""
        found = []
        at_s = self._latest_s[path]
        for entry in entries:
            # The proxy writes a line when a request has ended, and says when it began.
            at_s = entry.at_s if entry.at_s is not None else at_s
            found.append((at_s, entry))
        self._latest_s[path] = at_s
        return found


def _sorted(found: list[tuple[float, Entry]]) -> list[Entry]:
    found.sort(key=lambda one: one[0])
    return [entry for _, entry in found]


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
