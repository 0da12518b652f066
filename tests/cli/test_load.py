"""`mainstay load`: wrong input of each option ends with one clear sentence and code 2."""

import json
from pathlib import Path

import pytest

from mainstay.cli.main import run

URL = "http://127.0.0.1:9/"


def load(*arguments: str) -> int:
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        run(["load", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "URL or --file"),
        (["localhost:8080"], "not a URL"),
        (["ftp://127.0.0.1/"], "not a URL"),
        ([URL, "--rate", "fast"], "not a rate"),
        ([URL, "--rate", "0"], "not a rate"),
        ([URL, "--rate", "1000000/s"], "the rate must be"),
        ([URL, "--duration", "30"], "not a duration"),
        ([URL, "--duration", "2d"], "the duration must be"),
        ([URL, "--requests", "0"], "the number of requests must be 1 to 100,000,000"),
        ([URL, "--requests", "many"], "not a valid integer"),
        ([URL, "--warmup", "soon"], "not a duration"),
        ([URL, "--arrivals", "bursty"], "bursty"),
        ([URL, "--seed", "x"], "not a valid integer"),
        ([URL, "--method", "GET /"], "not a method"),
        ([URL, "--data", "@/nowhere/x"], "--data"),
        ([URL, "--header", "no-colon"], "Name: value"),
        ([URL, "--header", "Content-Length: 3"], "written by the load generator"),
        ([URL, "--expect", "fine"], "not a list of statuses"),
        ([URL, "--timeout", "2m"], "the timeout must be"),
        ([URL, "--connect-timeout", "0s"], "the connect timeout must be"),
        ([URL, "--max-in-flight", "0"], "requests in flight"),
        ([URL, "--max-failed", "-1"], "max-failed"),
        ([URL, "--tolerance", "much"], "not a percentage"),
        ([URL, "--floor", "1"], "not a duration"),
        ([URL, "--baseline", "/nowhere/b.json"], "No such file"),
        ([URL, "--output", "/nowhere/o.json"], "folder does not exist"),
        ([URL, "--save-baseline", "/nowhere/o.json"], "folder does not exist"),
        ([URL, "--file", "/nowhere/mix.yaml"], "cannot be read"),
        ([URL, URL, "--file", "mix.yaml"], "one URL at most"),
        (["--file", "mix.yaml", "--method", "PUT"], "belong into the file"),
        (["http://127.0.0.1:99999/"], "write http://127.0.0.1:8080/path"),
        (["http://203.0.113.7/"], "--allow-remote"),
        (["http://[2001:db8::1]/"], "--allow-remote"),
        (["http://[::ffff:203.0.113.7]/"], "--allow-remote"),
        ([URL, "http://203.0.113.7/"], "--allow-remote"),
        ([URL, "--unknown"], "no such option"),
    ],
)
def test_wrong_input(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(*arguments, "--quiet") == 2
    captured = capsys.readouterr()
    assert word in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_wrong_input_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("nowhere", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"] == "TargetInvalid"


def test_all_faults_of_a_file_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix = tmp_path / "mix.yaml"
    mix.write_text("- {path: a}\n- {pfad: /b}\n")
    assert load("--file", str(mix), URL, "--json") == 2
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert [fault["line"] for fault in faults] == [1, 2, 2]


def test_a_report_that_is_none_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "b.json"
    baseline.write_text('{"format": "else"}')
    assert load(URL, "--duration", "1h", "--baseline", str(baseline)) == 2
    assert "not a report of `mainstay load`" in capsys.readouterr().err


def test_secrets_of_headers_are_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert load(URL, "-H", "Authorization: s3cret\x00") == 2
    assert "s3cret" not in capsys.readouterr().err
