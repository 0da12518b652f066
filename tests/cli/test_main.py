"""The command line itself: help, wrong words, errors as one sentence, lazy imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mainstay import __version__
from mainstay.cli.main import COMMANDS, main, run
from mainstay.cli.telling import line_of


def test_every_command_has_help() -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, name
        assert result.output.startswith("Usage: main " + name)


def test_help_and_version_import_no_command() -> None:
    code = (
        "import sys\n"
        "from mainstay.cli.main import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit:\n    pass\n"
        "loaded = [name for name in sys.modules if name.startswith(('rich', 'psutil', 'yaml'))]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"mainstay {__version__}\n"


@pytest.mark.parametrize("words", [["nope"], ["up", "--nope"], ["load"], ["scale", "web"]])
def test_wrong_words_exit_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(words)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_one_sentence_or_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["status", str(tmp_path)])
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("mainstay: nothing was started in ")
    with pytest.raises(SystemExit):
        run(["status", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["error"] == "NotRunning"


@pytest.mark.parametrize(
    "words",
    [
        ["nope"],
        ["up", "--nope"],
        ["status", "/not/there"],
        ["scale", "web", "many"],
        ["load"],
    ],
)
def test_with_json_wrong_words_are_one_object(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run([*words, "--json"])
    assert caught.value.code == 2
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["error"] == "UsageError"
    assert len(answer["message"]) > 10
    assert shown.err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_MAINSTAY_COMPLETE" in result.output


def test_events_become_lines_and_strange_ones_are_still_shown() -> None:
    ready = {"event": "ReplicaReady", "replica": "web-1", "after_s": 0.81234}
    assert line_of(ready) == "web-1 ready after 0.81 s"
    everything = {"event": "SystemReady", "after_s": 2.0, "addresses": [["web", "http://x:1"]]}
    assert line_of(everything) == "everything is ready after 2.00 s\n    web  http://x:1"
    assert line_of({"event": "OfTheFuture"}) is None
    assert line_of({"event": "ReplicaReady"}) == '{"event": "ReplicaReady"}'


GREP = (
    "invalid value for '--grep': '(?' is no regular expression: unexpected end of pattern at "
    "position 2; see `mainstay logs --help`"
)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["statu"], "no such command 'statu'; did you mean status? See `mainstay --help`"),
        (["bogus"], "no such command 'bogus'; see `mainstay --help`"),
        (["up", "--nope"], "no such option '--nope'; see `mainstay up --help`"),
        (["load"], "a URL or --file is needed; see `mainstay load --help`"),
        (
            ["logs", "--grep", "(?"],
            GREP,
        ),
        (
            ["scale", "web", "x"],
            "invalid value for 'REPLICAS': 'x' is not a whole number; see `mainstay scale --help`",
        ),
    ],
)
def test_wrong_words_are_one_sentence_that_says_where_the_right_ones_are(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(words)
    assert capsys.readouterr().err == f"mainstay: {sentence}\n"
    with pytest.raises(SystemExit):
        run([*words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["error"] == "UsageError"
    assert "Usage:" not in told["message"]


def test_without_a_word_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run([])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("Usage: mainstay")
