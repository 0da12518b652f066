"""The local view of a real system: spans of real exporters, lines of real replicas."""

import contextlib
import http.client
import json
import os
import signal
import socket

import psutil
import pytest
from tests.system.up.site import Site, Status, eventually

from mainstay.control.traces.door import load

pytestmark = pytest.mark.system

PROGRAM = '''
import base64, json, os, sys, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class InJson(SpanExporter):
    """Sends what the exporter would, in JSON."""

    def export(self, spans):
        said = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for resource in said["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in span:
                            span[name] = base64.b64decode(span[name]).hex()
        name, _, value = os.environ["OTEL_EXPORTER_OTLP_TRACES_HEADERS"].partition("=")
        request = urllib.request.Request(
            os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
            json.dumps(said).encode(),
            {"Content-Type": "application/json", name: value.replace("%20", " ")},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
        return SpanExportResult.SUCCESS


def tracer_of(exporter, service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("program")


tracers = {
    "/protobuf": tracer_of(OTLPSpanExporter(timeout=20), "web"),
    "/json": tracer_of(InJson(), "web-in-json"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        tracer = tracers.get(self.path)
        if tracer is not None:
            with tracer.start_as_current_span(
                "GET " + self.path, extract(self.headers), kind=trace.SpanKind.SERVER,
                attributes={"http.response.status_code": 200},
            ):
                with tracer.start_as_current_span("look up") as span:
                    span.add_event("asked", {"shelf": 7})
                    span.set_status(trace.StatusCode.ERROR, "not there")
            print(json.dumps({"level": "warning", "event": "asked", "path": self.path,
                              "trace_id": self.headers["traceparent"][3:35]}), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

DECLARATION = "service: web\ncommand: python program.py $PORT\nrun: {replicas: 2}\nedge: @PORT@\n"


@pytest.fixture
def program(site: Site) -> Site:
    (site.folder / "program.py").write_text(PROGRAM)
    site.declare(DECLARATION)
    return site


def ask(site: Site, path: str, trace_id: str, flags: str = "01") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    with contextlib.closing(connection):
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-{flags}"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def trace(site: Site, ident: str) -> Status:
    """Return a trace as the command shows it; empty where it is not kept."""
    done = site.run("trace", ident, "--json")
    answer: Status = json.loads(done.stdout)
    return answer if done.returncode == 0 else {}


def test_spans_of_real_exporters_are_seen_in_both_forms(program: Site) -> None:
    program.up()
    for path, trace_id in (("/protobuf", "ab" * 16), ("/json", "cd" * 16)):
        assert ask(program, path, trace_id) == 200
        # The exporter had its answer before we had ours.
        found = trace(program, trace_id[:8])
        root, inner = found["spans"]
        assert (root["name"], root["kind"], root["parent_id"]) == (
            f"GET {path}", "server", "00f067aa0ba902b7",
        )  # fmt: skip
        assert root["attributes"]["http.response.status_code"] == 200
        assert inner["parent_id"] == root["span_id"]
        assert (inner["status"], inner["message"]) == ("error", "not there")
        assert inner["events"][0]["attributes"] == {"shelf": 7}
    drawn = program.run("trace", "ab" * 16).stdout
    assert "└─ web  look up  (not there)" in drawn
    listed = json.loads(program.run("trace", "--json", "--failed").stdout)
    assert {one["service"] for one in listed} == {"web", "web-in-json"}
    missing = program.run("trace", "0" * 32)
    assert missing.returncode == 1
    assert "sample: 100%" in missing.stderr
    lines = program.run("logs", "--json", "--trace", "ab" * 4, "web").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["asked"]
    # Down or not, what was kept can be read.
    assert program.run("down").returncode == 0
    assert trace(program, "ab" * 16)


def test_what_is_kept_is_this_users_alone(program: Site) -> None:
    program.up()
    assert ask(program, "/protobuf", "ab" * 16) == 200
    folder = program.folder / ".mainstay" / "traces"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    door = load(folder / "door.json")
    assert door is not None
    listening = [
        one.laddr
        for one in psutil.Process(program.status()["daemon"]["pid"]).net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", door.port)]
    for token in ("", "guessed"):
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            connection.request("POST", "/v1/traces", b"{}", headers)
            assert connection.getresponse().status == 401
    told = "".join(
        path.read_text("utf-8", "replace")
        for path in (program.folder / ".mainstay").rglob("*")
        if path.is_file() and path.name != "door.json"
    )
    assert '"system": "web"' in told
    assert door.token not in told


def test_a_daemon_that_was_killed_disturbs_nobody_and_receives_again(program: Site) -> None:
    pid = program.up()["daemon"]["pid"]
    assert ask(program, "/protobuf", "ab" * 16) == 200
    door = load(program.folder / ".mainstay" / "traces" / "door.json")
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    # What was kept is there without it, and a request is served.
    assert program.get()[0] == 200
    assert trace(program, "ab" * 16)
    adopted = program.up()
    assert {one["state"] for one in adopted["services"][0]["replicas"]} == {"ready"}
    assert load(program.folder / ".mainstay" / "traces" / "door.json") == door
    assert ask(program, "/protobuf", "ef" * 16) == 200
    assert len(trace(program, "ef" * 16)["spans"]) == 2
    assert trace(program, "ab" * 16)


def test_hostile_bytes_at_the_door_end_nothing(program: Site) -> None:
    pid = program.up()["daemon"]["pid"]
    door = load(program.folder / ".mainstay" / "traces" / "door.json")
    assert door is not None
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + door.token.encode()
    form = b"\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n"
    for raw in (
        b"\x16\x03\x01\x02\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"X" * 1_000_000,
        head + form + b"Content-Length: 5\r\n\r\n\x1f\x8b\x08\x00\x00",
        head + form + b"Content-Length: 99999999999\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", door.port), timeout=30) as sender:
            # A reset is an answer, too.
            with contextlib.suppress(ConnectionError):
                sender.sendall(raw)
                sender.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while sender.recv(65_536):
                    pass
    assert ask(program, "/protobuf", "ab" * 16) == 200
    assert len(trace(program, "ab" * 16)["spans"]) == 2
    assert program.status()["daemon"]["pid"] == pid
    assert (program.folder / ".mainstay" / "daemon.err").read_text() == ""


def test_a_wrapped_service_shows_a_sampled_request_and_says_why_another_is_not_kept(
    site: Site,
) -> None:
    site.declare("service: web\napp: wrapped:app\nrun: {replicas: 1}\nedge: @PORT@\n")
    site.up()
    assert ask(site, "/", "ab" * 16) == 200
    found = eventually(lambda: trace(site, "ab" * 16), what="the span did not come")
    (span,) = [one for one in found["spans"] if one["kind"] == "server"]
    assert (span["service"], span["attributes"]["http.response.status_code"]) == ("web", 200)
    request_id = span["attributes"]["mainstay.request_id"]
    assert trace(site, request_id) == found
    assert ask(site, "/", "cd" * 16, flags="00") == 200
    missing = site.run("trace", "cd" * 16)
    assert missing.returncode == 1
    assert "traceparent that ends in -01" in missing.stderr
    # Its line is there all the same.
    lines = site.run("logs", "--json", "--trace", "cd" * 16).stdout.splitlines()
    assert {json.loads(line)["log"] for line in lines} == {"edge", "web-1"}


def test_who_chose_a_collector_is_not_sent_here(site: Site) -> None:
    site.declare(
        "service: web\ncommand: python plain.py $PORT\nedge: @PORT@\n"
        "run: {replicas: 1, env: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9'}}\n"
    )
    (replica,) = site.up()["services"][0]["replicas"]
    environ = psutil.Process(replica["pid"]).environ()
    assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:9"
    assert not [name for name in environ if name.startswith("OTEL_EXPORTER_OTLP_TRACES")]


def test_logs_follow_new_replicas_and_filter_as_they_come(program: Site) -> None:
    program.up()
    out = program.folder / "followed"
    with out.open("w") as file:
        words = ("logs", "-f", "-n", "0", "--json", "--level", "warning")
        following = program.start(*words, stdout=file)

    def seen() -> list[Status]:
        # The last line may be half there: its end comes with the next look.
        return [json.loads(line) for line in out.read_text().split("\n")[:-1]]

    def come() -> bool:
        assert ask(program, "/protobuf", "ab" * 16) == 200
        return len({one["log"] for one in seen()}) >= 2

    eventually(come, what="both replicas' lines")
    assert program.run("scale", "web", "4").returncode == 0

    def more() -> bool:
        assert ask(program, "/protobuf", "ab" * 16) == 200
        return {one["log"] for one in seen()} >= {f"web-{n}" for n in range(1, 5)}

    eventually(more, what="new replicas' lines")
    following.send_signal(signal.SIGINT)
    assert following.wait(30) == 0
    assert {one["event"] for one in seen()} == {"asked"}
