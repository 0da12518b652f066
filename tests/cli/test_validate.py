"""``mainstay validate`` and ``mainstay schema``, as the command line runs them."""

import json
from pathlib import Path

import pytest

from mainstay.cli.main import run
from mainstay.spec.schema import json_schema

VALID = "service: shop\napp: shop:app\nedge: 8080\nrollout: canary\n"
BROKEN = "service: shop\nap: shop:app\nrun:\n  replicas: many\n"


def call(*arguments: str) -> int:
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as caught:
        run(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_ENV", raising=False)
    return tmp_path


def test_a_valid_service(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mainstay.yaml").write_text(VALID)
    assert call("validate") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "note: mainstay.yaml:4:10: rollout: read and checked; nothing acts on it in this version",
        "valid: shop: 1 service (shop), 1 note",
    ]
    assert err == ""


def test_a_valid_service_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mainstay.yaml").write_text(VALID)
    (folder / "mainstay.prod.yaml").write_text("run: 7\n")
    assert call("validate", ".", "--env", "prod", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is True
    assert answer["services"] == ["shop"]
    assert answer["env"] == "prod"
    files = [str(folder / "mainstay.yaml"), str(folder / "mainstay.prod.yaml")]
    assert answer["files"] == files
    assert answer["notes"][0]["path"] == "rollout"


def test_every_fault_is_a_line_on_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mainstay.yaml").write_text(BROKEN)
    assert call("validate") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "mainstay.yaml:2:1: ap: unknown key; did you mean app?",
        'mainstay.yaml:4:13: run.replicas: expected a whole number, 0 to 64, found the text "many"',
        "2 faults",
    ]


def test_faults_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mainstay.yaml").write_text(BROKEN)
    assert call("validate", "mainstay.yaml", "--json") == 2
    out, err = capsys.readouterr()
    assert err == ""
    answer = json.loads(out)
    assert answer["valid"] is False
    assert [(f["line"], f["column"], f["path"]) for f in answer["faults"]] == [
        (2, 1, "ap"),
        (4, 13, "run.replicas"),
    ]
    assert answer["faults"][0]["nearest"] == "app"


@pytest.mark.parametrize("path", ["nowhere", "mainstay.yaml", "x" * 5000])
def test_what_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert call("validate", path) == 2
    assert "can't be read" in capsys.readouterr().err


def test_a_misspelt_env(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mainstay.yaml").write_text(VALID)
    (folder / "mainstay.prod.yaml").write_text("run: 7\n")
    assert call("validate", "--env", "prdo") == 2
    assert "did you mean prod?" in capsys.readouterr().err


def test_no_secret_in_any_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "key").write_text("hunter2\n")
    text = VALID + "run: {env: {KEY: '${file:key}'}}\n"
    for broken in ("", "version: '${file:key}'\n", "dependencies: {a: {url: '${file:key}'}}\n"):
        (folder / "mainstay.yaml").write_text(text + broken)
        for options in ([], ["--json"]):
            call("validate", *options)
            out, err = capsys.readouterr()
            assert out + err
            assert "hunter2" not in out + err


def test_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("schema") == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
    assert call("schema", "--overlay") == 0
    assert json.loads(capsys.readouterr().out) == json_schema(overlay=True)


def test_the_schema_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("schema", "--output", "mainstay.schema.json") == 0
    assert json.loads((folder / "mainstay.schema.json").read_text()) == json_schema()
    assert capsys.readouterr().out == ""
    assert call("schema", "--output", "no/such/folder.json") == 1
    assert "can't write no/such/folder.json: No such file" in capsys.readouterr().err


def test_help_says_how_an_editor_uses_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("schema", "--help") == 0
    help_text = capsys.readouterr().out
    assert "# yaml-language-server: $schema=mainstay.schema.json\n" in help_text
