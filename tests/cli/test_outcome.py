"""How commands end: output that nobody reads, output that can't be written, and the rest."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mainstay.cli.main import run
from mainstay.cli.outcome import MachineRefused, ReaderGone, code_of, report
from mainstay.control.engines.local.folder import prepare
from mainstay.core.errors import ConfigInvalid, EngineRefused


def mainstay(*words: str, cwd: Path, stdout: int) -> tuple[int, str]:
    """Return the exit code of a command, and what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "mainstay", *words],
        cwd=cwd,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A valid declaration, and logs of what ran."""
    (tmp_path / "mainstay.yaml").write_text("service: web\ncommand: ./serve\n")
    prepare(tmp_path / ".mainstay")
    (tmp_path / ".mainstay/logs/web-1.log").write_text("a line\n" * 100)
    return tmp_path


COMMANDS = [
    ["validate"],
    ["validate", "--json"],
    ["schema"],
    ["logs"],
    ["--help"],
    ["up", "--help"],
    ["completion", "bash"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_went_away_is_no_failure(site: Path, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert mainstay(*words, cwd=site, stdout=writing) == (0, "")
    finally:
        os.close(writing)


@pytest.mark.parametrize("words", [*COMMANDS, ["status"], ["status", "--watch", "--json"]])
def test_without_any_output_there_is_no_traceback(site: Path, words: list[str]) -> None:
    """Law: a command works where its stdout was closed before it began; stderr has the rest."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "mainstay", *words],
        cwd=site,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == (1 if words[0] == "status" else 0)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_output_that_cannot_be_written_is_one_sentence(site: Path, words: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, said = mainstay(*words, cwd=site, stdout=full)
    finally:
        os.close(full)
    assert (code, said) == (1, "mainstay: can't read or write: No space left on device\n")


def test_a_log_that_cannot_be_read_is_one_sentence(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / ".mainstay/logs/web-2.log").mkdir()
    for words in (["logs", "-C", str(site)], ["logs", "-C", str(site), "--json"]):
        with pytest.raises(SystemExit) as caught:
            run(words)
        assert caught.value.code == 1
    shown = capsys.readouterr()
    assert shown.err == f"mainstay: {site}/.mainstay/logs/web-2.log: Is a directory\n"
    last = json.loads(shown.out.splitlines()[-1])
    assert last["error"] == "MachineRefused"


def test_sentences_for_errors_of_the_system() -> None:
    def sentence(error: OSError) -> str:
        return str(MachineRefused.of(error))

    assert "working folder" in sentence(FileNotFoundError(errno.ENOENT, "No such file"))
    assert sentence(PermissionError(errno.EACCES, "Permission denied", b"/x/y")) == (
        "/x/y: Permission denied"
    )
    assert sentence(OSError("only words")) == "only words"


def test_codes() -> None:
    assert code_of(ConfigInvalid(("a fault",))) == 2
    assert code_of(click.UsageError("wrong")) == 2
    assert code_of(EngineRefused("no")) == 1
    assert code_of(ReaderGone("gone")) == 0


def test_nobody_is_told_that_he_went_away(capsys: pytest.CaptureFixture[str]) -> None:
    report(ReaderGone("gone"), as_json=True)
    report(ReaderGone("gone"), as_json=False)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
