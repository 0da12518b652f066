"""`mainstay load` as its user meets it: a process, its output, its exit code."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mainstay.control.load import load_report, report_from_json

pytestmark = pytest.mark.system

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "load.md"


class Handler(BaseHTTPRequestHandler):
    """200 for everything but /missing and /broken."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = {"/missing": 404, "/broken": 500}.get(self.path, 200)
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET  # noqa: N815  The base class looks for it.

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  Its own name.
        del format, args


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def load(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mainstay", "load", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
    )


def test_json_is_all_that_stdout_gets(url: str) -> None:
    ran = load(url, "-n", "20", "--rate", "100", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    report = report_from_json(ran.stdout)
    assert (report.requests, report.failed) == (20, 0)


def test_text_has_a_table_and_a_histogram(url: str) -> None:
    ran = load(url, f"{url}/missing", "-n", "20", "--rate", "100")
    assert ran.returncode == 0
    for word in ("20 requests", "p99.9", "█", "GET /missing", "404: "):
        assert word in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr


def test_progress_goes_to_stderr_and_quiet_has_none(url: str) -> None:
    loud = load(url, "--rate", "20", "--duration", "6s")
    assert re.search(r"requests \d+  failed 0", loud.stderr)
    assert "in flight" not in loud.stdout
    assert load(url, "--rate", "20", "-n", "5", "--quiet").stderr == ""


def test_failures_decide_the_code(url: str) -> None:
    broken = f"{url}/broken"
    assert load(broken, "-n", "10", "--quiet").returncode == 1
    mixed = (url, broken, "-n", "40", "--rate", "100", "--quiet")
    assert load(*mixed).returncode == 0
    allowed = load(*mixed, "--max-failed", "2")
    assert allowed.returncode == 1
    assert re.search(r"\d+ requests failed, 2 are allowed", allowed.stderr)
    assert load(broken, "-n", "10", "--quiet", "--expect", "500").returncode == 0
    assert load(url, "-n", "10", "--quiet", "--expect", "404").returncode == 1


def test_a_baseline_that_got_better_fails_and_one_that_did_not_passes(
    url: str, tmp_path: Path
) -> None:
    """The same service passes against itself, and fails against a far better past."""
    baseline = tmp_path / "base.json"
    options = (url, "-n", "40", "--rate", "100", "--quiet")
    saved = load(*options, "--save-baseline", baseline)
    assert saved.returncode == 0
    # A shared machine: only a regression of 500 ms would be real.
    same = load(*options, "--baseline", baseline, "--floor", "500ms", "--tolerance", "50%")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "REGRESSED" not in same.stdout

    raw = json.loads(baseline.read_text())
    raw["good_per_s"] = 10_000.0
    baseline.write_text(json.dumps(raw))
    worse = load(*options, "--baseline", baseline, "--save-baseline", baseline)
    assert worse.returncode == 1
    assert "REGRESSED" in worse.stdout
    assert "good_per_s" in worse.stderr
    assert load_report(baseline).good_per_s == 10_000.0, "a worse run is no baseline"

    as_json = load(*options, "--baseline", baseline, "--json")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["comparison"]["regressed"] is True
    report_from_json(as_json.stdout)


def test_output_is_written_even_if_the_test_failed(url: str, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    assert load(f"{url}/broken", "-n", "5", "--quiet", "--output", output).returncode == 1
    assert load_report(output).failed == 5
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_mix_from_a_file(url: str, tmp_path: Path) -> None:
    mix = tmp_path / "mix.yaml"
    mix.write_text(
        "- {path: /a, weight: 3}\n- {name: order, method: POST, path: /b, body: {sku: 1}}\n"
    )
    ran = load(url, "--file", mix, "-n", "40", "--rate", "200", "--json", "--quiet")
    report = report_from_json(ran.stdout)
    assert [one.name for one in report.targets] == ["GET /a", "order"]
    assert report.targets[0].requests > report.targets[1].requests > 0
    assert report.failed == 0


def test_ctrl_c_ends_early_with_the_report(url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mainstay", "load", url, "--duration", "1h", "--rate", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "in flight" in line, "it runs"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.startswith("interrupted after")
    assert "█" in out
    assert "Traceback" not in err


def test_the_examples_of_the_guide_run(url: str, tmp_path: Path) -> None:
    """Each command of the guide, against this server and for a shorter time."""
    text = GUIDE.read_text(encoding="utf-8")
    mix = re.search(r"```yaml\n# requests\.yaml\n(.*?)```", text, re.DOTALL)
    assert mix is not None
    (tmp_path / "requests.yaml").write_text(mix[1].replace("http://127.0.0.1:8000", url))
    commands = re.findall(r"^\$ mainstay load (.*)$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        words = command.replace("http://127.0.0.1:8000", url).split()
        ran = load(*words, "-n", "10", "--floor", "500ms", "--tolerance", "90%", cwd=tmp_path)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
