"""What a replica is started with, from its declaration."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from mainstay.control.engines.local.launching import (
    Launchpad,
    replica_argv,
    replica_spec,
    revision_of,
)
from mainstay.control.traces.door import Door
from mainstay.spec.declaration import Declaration, Member
from mainstay.spec.dependency import Dependency
from mainstay.spec.edge import Edge
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.run import Run

PAD = Launchpad(
    state=Path("/s/.mainstay"),
    environ={"PATH": "/bin", "MAINSTAY_REPLICA": "another-1", "LANG": "C"},
    env_name=None,
    urls={"catalog": "http://127.0.0.1:20001"},
)


def member(**changes: object) -> Member:
    declaration = Declaration(service="web", app="web:app")
    return Member(declaration=replace(declaration, **changes), folder=Path("/s"))  # type: ignore[arg-type]  # Field by field.


def environment(one: Member, pad: Launchpad = PAD) -> dict[str, str]:
    return dict(replica_spec(one, "web-2", 8123, pad, probe_port=8124, replicas=3).env)


def test_a_command_gets_its_port_in_place_of_the_word() -> None:
    words = ("serve", "--bind=127.0.0.1:$PORT", "${PORT}", "$PORTAL", "$HOME")
    declaration = Declaration(service="web", command=words)
    assert replica_argv(declaration, 8123, None) == (
        "serve",
        "--bind=127.0.0.1:8123",
        "8123",
        "$PORTAL",
        "$HOME",
    )


def test_an_app_is_served_on_loopback_with_its_declared_drain() -> None:
    argv = replica_argv(Declaration(service="web", app="web:app"), 8123, 8124)
    assert argv[:3] == (sys.executable, "-m", "mainstay.service.inbound.serve")
    pairs = dict(zip(argv[3::2], argv[4::2], strict=True))
    assert pairs["--app"] == "web:app"
    assert pairs["--host"] == "127.0.0.1"
    assert pairs["--port"] == "8123"
    assert pairs["--probe-port"] == "8124"
    assert pairs["--drain"] == "20s"


def test_a_replica_is_told_who_it_is_and_python_is_ours() -> None:
    told = environment(member())
    assert told["PORT"] == "8123"
    assert told["MAINSTAY_REPLICA"] == "web-2"
    assert told["MAINSTAY_REPLICAS"] == "3"
    assert told["LANG"] == "C"
    assert told["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/bin"]


def test_services_are_found_by_both_their_names() -> None:
    dependencies = (("stock-list", Dependency(service="catalog")),)
    told = environment(member(dependencies=dependencies))
    assert told["MAINSTAY_URL_CATALOG"] == "http://127.0.0.1:20001"
    assert told["MAINSTAY_URL_STOCK_LIST"] == "http://127.0.0.1:20001"


def test_a_secret_is_revealed_to_the_process_alone() -> None:
    secret = Secret("${file:token}", "hunter2")
    one = member(run=Run(env=(("TOKEN", secret),)))
    assert environment(one)["TOKEN"] == "hunter2"
    assert "hunter2" not in repr(replica_spec(one, "web-2", 8123, PAD, probe_port=8124, replicas=3))
    assert "hunter2" not in revision_of(one, PAD, 0)


def test_only_what_a_process_is_started_from_makes_another_revision() -> None:
    base = revision_of(member(), PAD, 0)
    assert revision_of(member(edge=Edge(port=8080)), PAD, 0) == base
    assert revision_of(member(run=Run(replicas=7)), PAD, 0) == base
    assert revision_of(member(version="2"), PAD, 0) != base
    assert revision_of(member(run=Run(threads=3)), PAD, 0) != base
    assert revision_of(member(), PAD, 1) != base
    assert revision_of(member(), replace(PAD, env_name="prod"), 0) != base


def test_a_moved_dependency_makes_another_revision() -> None:
    one = member(dependencies=(("catalog", Dependency(service="catalog")),))
    moved = replace(PAD, urls={"catalog": "http://127.0.0.1:20002"})
    assert revision_of(one, PAD, 0) != revision_of(one, moved, 0)
    assert revision_of(member(), PAD, 0) == revision_of(member(), moved, 0)


def test_replicas_are_told_where_spans_are_received_and_none_is_restarted_for_that() -> None:
    door = Door(port=20009, token="ab" * 24)
    told = environment(member(), replace(PAD, door=door))
    assert told["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "http://127.0.0.1:20009/v1/traces"
    assert revision_of(member(), replace(PAD, door=door), 1) == revision_of(member(), PAD, 1)
    chosen = replace(PAD, door=door, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"})
    told = environment(member(), chosen)
    assert "OTEL_EXPORTER_OTLP_TRACES_HEADERS" not in told
