"""The door: the same over the lives of daemons, and shown to our replicas alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from mainstay.control.traces.door import Door, load, new_door, save
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Telemetry, Traces

WEB = Declaration(service="web", app="web:app")
DOOR = Door(port=20001, token="0123456789abcdef" * 3)


def test_a_door_is_read_back_and_private(tmp_path: Path) -> None:
    path = tmp_path / "door.json"
    assert load(path) is None
    for door in (new_door(20001), new_door(20002)):
        save(path, door)
        assert load(path) == door
        assert path.stat().st_mode & 0o777 == 0o600


def test_words_are_not_guessable_and_not_shown() -> None:
    one, other = new_door(20001), new_door(20001)
    assert one.token != other.token
    assert len(one.token) == 48
    assert one.token not in repr(one)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[", '{"port": 1, "token": "x"}', '{"port": 20001, "token": ""}',
     '{"port": true, "token": "' + "ab" * 24 + '"}', '{"port": 20001, "token": "a\\r\\n"}'],
)  # fmt: skip
def test_a_file_that_is_no_door_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "door.json"
    path.write_text(text)
    assert load(path) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "real", DOOR)
    (tmp_path / "door.json").symlink_to(tmp_path / "real")
    assert load(tmp_path / "door.json") is None


def test_exporters_of_traces_are_told_and_no_others() -> None:
    assert DOOR.variables(WEB, {}) == {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:20001/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization=Bearer%20{DOOR.token}",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    }


@pytest.mark.parametrize(
    ("declaration", "environ"),
    [
        (WEB, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}),
        (WEB, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}),
        (
            replace(
                WEB, run=replace(WEB.run, env=(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),))
            ),
            {},
        ),
        (replace(WEB, telemetry=Telemetry(traces=Traces(endpoint="http://c:4318"))), {}),
        (replace(WEB, telemetry=Telemetry(traces=None)), {}),
    ],
)
def test_who_chose_a_collector_keeps_it_and_gets_no_word_of_ours(
    declaration: Declaration, environ: dict[str, str]
) -> None:
    assert DOOR.variables(declaration, environ) == {}


def test_an_empty_variable_chooses_nothing() -> None:
    assert DOOR.variables(WEB, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
