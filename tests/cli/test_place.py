"""Which system a command means: the one of its folder, never one that only lies around it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from mainstay.cli.main import main, run
from mainstay.cli.place import running_state, system_above
from mainstay.control.engines.local.folder import SystemLock, prepare
from mainstay.core.errors import NotRunning

LONE = "service: lone\ncommand: ./serve\n"


class Systems:
    """Folders with declarations, and daemons of which only the lock is there."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self._stack = stack

    def declare(self, folder: str, text: str = LONE) -> Path:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "mainstay.yaml").write_text(text)
        return path

    def ended(self, folder: str) -> Path:
        """Return the state folder of what ran there once and was ended in order."""
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        prepare(self.root / folder / ".mainstay")
        return self.root / folder / ".mainstay"

    def running(self, folder: str) -> Path:
        state = self.ended(folder)
        self._stack.enter_context(SystemLock(state / "lock"))
        return state


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[Systems]:
    with ExitStack() as stack:
        yield Systems(tmp_path.resolve(), stack)


@pytest.mark.parametrize("folder", ["f", "f/src", "f/src/deep"])
def test_without_a_path_the_nearest_above_is_meant(
    systems: Systems, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems.declare("f")
    state = systems.running("f")
    (systems.root / "f/src/deep").mkdir(parents=True)
    monkeypatch.chdir(systems.root / folder)
    assert running_state(None) == state


def test_a_path_means_that_folder_and_no_other(systems: Systems) -> None:
    systems.declare("f")
    state = systems.running("f")
    (systems.root / "f/src").mkdir()
    assert running_state(systems.root / "f") == state
    assert running_state(systems.root / "f/mainstay.yaml") == state
    with pytest.raises(NotRunning, match=r"f/src: what runs in .*/f is another system"):
        running_state(systems.root / "f/src")
    assert system_above(systems.root / "f/src") == systems.root / "f"


@pytest.mark.parametrize("words", [["sub/other"], []])
def test_another_system_around_it_is_never_meant(
    systems: Systems,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Law: `down` of a system that never ran ends nothing else."""
    systems.declare("f")
    systems.running("f")
    other = systems.declare("f/sub/other")
    monkeypatch.chdir(systems.root / "f" if words else other)
    with pytest.raises(SystemExit) as caught:
        run(["down", *words])
    assert caught.value.code == 0
    said = capsys.readouterr().err
    assert said == f"nothing was running; the system in {systems.root / 'f'} runs on\n"


def test_what_lives_comes_before_what_ended_below_it(
    systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems.declare("f")
    state = systems.running("f")
    stale = systems.ended("f/sub")
    monkeypatch.chdir(systems.root / "f/sub")
    assert running_state(None) == state
    # What a killed daemon left running must be found where it was.
    (stale / "state.json").write_text("{}")
    assert running_state(None) == stale


def test_what_ended_is_found_where_nothing_lives(
    systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems.declare("f")
    state = systems.ended("f")
    (systems.root / "f/src").mkdir()
    monkeypatch.chdir(systems.root / "f/src")
    assert running_state(None) == state, "`mainstay logs` still shows how it ended"


def test_the_folder_of_a_service_belongs_to_the_system_that_names_it(
    systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems.declare("shop", "system: [catalog]\n")
    state = systems.running("shop")
    catalog = systems.declare("shop/catalog", "service: catalog\ncommand: ./serve\n")
    (catalog / "src").mkdir()
    unnamed = systems.declare("shop/unnamed", "service: unnamed\ncommand: ./serve\n")
    for folder in (catalog, catalog / "src"):
        monkeypatch.chdir(folder)
        assert running_state(None) == state
    monkeypatch.chdir(unnamed)
    with pytest.raises(NotRunning, match="another system"):
        running_state(None)


def test_a_file_in_place_of_the_state_folder_is_no_system(systems: Systems) -> None:
    folder = systems.declare("f")
    (folder / ".mainstay").write_text("")
    with pytest.raises(NotRunning, match="mainstay up"):
        running_state(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_is_another_users_is_one_sentence_or_passed_over() -> None:
    code = (
        "import os, sys\n"
        "from mainstay.cli.main import run\n"
        "import mainstay.cli.status, mainstay.cli.drawing\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "run(sys.argv[1:])\n"
    )

    def as_nobody(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # Not below tmp_path: nobody else may enter that.
    with tempfile.TemporaryDirectory(dir="/tmp") as root, ExitStack() as stack:
        systems = Systems(Path(root).resolve(), stack)
        systems.declare("f")
        systems.running("f")
        (systems.root / "f/sub").mkdir()
        systems.root.chmod(0o755)
        for folder in ("f", "f/sub"):
            done = as_nobody(systems.root / folder, "status")
            assert done.returncode == 1
            assert done.stderr == "mainstay: cannot reach the daemon: Permission denied\n"


def test_a_working_folder_that_is_gone_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        for command in ("status", "logs", "down"):
            with pytest.raises(SystemExit) as caught:
                run([command])
            assert caught.value.code == 1
            said = capsys.readouterr().err
            assert said.startswith("mainstay: the working folder does not exist any more")
    finally:
        os.chdir(tmp_path)


@pytest.mark.parametrize(
    "words", [["restart"], ["scale"], ["logs"], ["logs", "--service"], ["trace", "--service"]]
)
def test_names_of_services_are_completed(
    words: list[str], systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell asks in the middle of a line: nothing that is wrong may be told there."""
    folder = systems.declare("shop", "service: store\ncommand: ./serve\n")
    monkeypatch.chdir(folder)

    def completed(begun: str) -> list[str]:
        shell = ShellComplete(main, {}, "mainstay", "_MAINSTAY_COMPLETE")
        return [one.value for one in shell.get_completions(words, begun)]

    assert completed("st") == []
    prepare(folder / ".mainstay")
    assert completed("st") == ["store"]
    assert completed("x") == []
    (folder / "mainstay.yaml").write_text("service: [\n")
    assert completed("st") == []
