"""The door: every fault at once, each with its place; values, sources and notes without any."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.declaration import Declaration
from mainstay.spec.faults import Fault
from mainstay.spec.kinds.units import Between
from mainstay.spec.load import Loaded, load_service, load_system

Write = Callable[..., Path]
Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

MINIMAL = "service: shop\napp: shop:app\n"


def only(loaded: Loaded) -> Declaration:
    (member,) = loaded.system.members
    return member.declaration


def test_three_lines_are_a_valid_file(load: Load) -> None:
    loaded = load("service: storefront\napp: shop.storefront:app\nedge: 8080\n")
    expected = Declaration(service="storefront", app="shop.storefront:app")
    assert only(loaded).edge.port == 8080
    assert only(loaded).run == expected.run
    assert loaded.system.name == "storefront"
    assert loaded.notes == ()


def test_the_declaration_of_the_design_is_valid(load: Load) -> None:
    declaration = only(
        load(
            """\
            service: storefront
            app: shop.storefront:app            # ASGI or WSGI, module:attribute
            run: {replicas: 3, memory_max: 512MiB}
            edge:
              port: 8080
              balance: least_requests
              health: {path: /health/ready, interval: 5s, timeout: 2s, fall: 3, rise: 2}
              retry: {on: [connect, reset_before_request, 503], attempts: 2, budget: 20%}
            inbound:
              deadline: 5s
              rate_limit: {rate: 100/s, burst: 200, by: client_ip}
              shed: adaptive
              drain: 20s
            dependencies:
              payments:
                service: payments
                timeout: {connect: 500ms, attempt: 800ms, total: 2s}
                retry: {attempts: 3, backoff: 50ms..1s, budget: 20%}
                breaker: {failures: 5, rate: 50% of 20 in 30s, open: 60s, successes: 2}
                bulkhead: 32
                criticality: required
            objectives:
              - {name: availability, target: 99.9%, window: 30d}
              - {name: latency, target: 99%, below: 300ms, window: 30d}
            rollout: {strategy: canary, steps: [5%, 25%, 50%, 100%], hold: 30s}
            """,
            environ={"MAINSTAY_URL_PAYMENTS": "http://127.0.0.1:1"},
        )
    )
    ((name, payments),) = declaration.dependencies
    assert name == "payments"
    assert payments.timeout.total_s == 2.0
    assert payments.retry is not None
    assert payments.retry.backoff == Between(low_s=0.05, high_s=1.0)
    assert payments.bulkhead is not None
    assert payments.bulkhead.limit == 32
    assert declaration.edge.retry is not None
    assert declaration.edge.retry.on == ("connect", "reset_before_request", "503")
    assert declaration.rollout is not None
    assert declaration.rollout.steps == (0.05, 0.25, 0.5, 1.0)
    assert declaration.objectives[1].below_s == 0.3


def test_every_fault_comes_at_once_with_its_line_and_column(complain: Complain) -> None:
    faults = complain(
        """\
        service: Shop
        app: shop.app
        run:
          replicas: many
          memory_max: 512
        edge:
          port: 99999
          health:
            intervall: 5s
          retry: {on: [connct], budget: 200%}
        inbound: {deadline: 5 parsecs}
        dependencies:
          pay: {service: payments, url: "http://x", timeout: 2s}
        """
    )
    assert [(f.line, f.column, f.path) for f in faults] == [
        (1, 10, "service"),
        (2, 6, "app"),
        (4, 13, "run.replicas"),
        (5, 15, "run.memory_max"),
        (7, 9, "edge.port"),
        (9, 5, "edge.health.intervall"),
        (10, 16, "edge.retry.on[0]"),
        (10, 33, "edge.retry.budget"),
        (11, 21, "inbound.deadline"),
    ]
    by_path = {fault.path: fault for fault in faults}
    assert str(by_path["edge.health.intervall"]) == (
        "mainstay.yaml:9:5: edge.health.intervall: unknown key; did you mean interval?"
    )
    assert by_path["edge.health.intervall"].nearest == "interval"
    assert by_path["edge.retry.on[0]"].nearest == "connect"
    assert by_path["run.memory_max"].found == "the number 512"
    assert by_path["run.memory_max"].expected == "a size such as 512MiB, 16MiB to 16TiB, or off"
    assert by_path["run.replicas"].found == 'the text "many"'


@pytest.mark.parametrize(
    ("text", "found"),
    [("[1, 2]", "a list of 2"), ("{a: 1}", "a mapping"), ("true", "the flag true"),
     ("1.5", "the number 1.5"), ("'8080'", 'the text "8080"'), ("1e999", "the number 1e999"),
     ("9" * 50, 'the text "' + "9" * 47 + '…"')],
)  # fmt: skip
def test_a_wrong_type_says_what_was_found(complain: Complain, text: str, found: str) -> None:
    (fault,) = complain(MINIMAL + f"run: {{replicas: {text}}}\n")
    assert fault.found == found
    assert fault.sentence == f"expected a whole number, 0 to 64, found {found}"


def test_a_flag_where_a_text_is_meant_is_to_be_quoted(complain: Complain) -> None:
    (fault,) = complain(MINIMAL + "run: {env: {DEBUG: true}}\n")
    assert fault.sentence == ("expected a text, found the flag true; put it in quotes if it is one")


def test_a_missing_key_is_told_at_its_section(complain: Complain) -> None:
    faults = complain("app: shop:app\ninbound:\n  rate_limit:\n    burst: 3\n")
    assert [(f.line, f.column, f.path) for f in faults] == [
        (1, 1, "service"),
        (4, 5, "inbound.rate_limit.rate"),
    ]


def test_a_misspelt_key_is_not_missing_as_well(complain: Complain) -> None:
    faults = complain("servce: shop\nap: shop:app\n")
    assert [f.path for f in faults] == ["servce", "ap"]


def test_app_or_command_is_needed_and_not_both(complain: Complain) -> None:
    (neither,) = complain("service: shop\n")
    assert (neither.line, neither.path) == (1, "app")
    (both,) = complain("service: shop\ncommand: run me\napp: a:b\n")
    assert (both.line, both.column) == (3, 6)


def test_a_dependency_is_a_service_or_a_url(complain: Complain) -> None:
    faults = complain(MINIMAL + "dependencies:\n  a: {timeout: 2s}\n")
    assert [(f.line, f.path) for f in faults] == [(4, "dependencies.a.service")]


def test_off_and_null_turn_off(load: Load) -> None:
    text = MINIMAL + "edge: {retry: off, eject: null, port: 'off', timeout: }\n"
    edge = only(load(text)).edge
    assert (edge.retry, edge.eject, edge.port, edge.timeout_s) == (None, None, None, None)


def test_off_where_nothing_can_be_off(complain: Complain) -> None:
    faults = complain(MINIMAL + "run: off\ninbound: {drain: off, health: off}\n")
    assert [f.path for f in faults] == ["run", "inbound.drain", "inbound.health"]


def test_an_empty_section_declares_nothing(load: Load) -> None:
    text = MINIMAL + "run:\ndependencies:\nobjectives:\ninbound: {health: }\n"
    assert only(load(text)) == Declaration(service="shop", app="shop:app")


def test_no_and_on_are_texts_and_numbers_stand_for_their_text(load: Load) -> None:
    text = MINIMAL + "version: 1.10\nrun: {env: {A: no, B: 0777, C: 1.10, D: 8080, E: 1e3}}\n"
    declaration = only(load(text))
    assert declaration.version == "1.10"
    env = dict(declaration.run.env)
    assert env == {"A": "no", "B": "0777", "C": "1.10", "D": "8080", "E": "1e3"}


def test_a_command_is_a_text_or_a_list(load: Load) -> None:
    words = ("gunicorn", "--bind", "127.0.0.1:80", "--workers", "2")
    as_text = only(load("service: a\ncommand: gunicorn --bind '127.0.0.1:80' --workers 2\n"))
    as_list = only(load("service: a\ncommand: [gunicorn, --bind, '127.0.0.1:80', --workers, 2]\n"))
    assert as_text.command == as_list.command == words


@pytest.mark.parametrize("command", ["[]", "''", '"a \'b"', "[a, [b]]", "{a: b}", "[true]"])
def test_what_is_no_command(complain: Complain, command: str) -> None:
    faults = complain(f"service: a\ncommand: {command}\n")
    assert [f.path for f in faults] == ["command"]


def test_interpolation_gives_numbers_flags_and_off(load: Load) -> None:
    text = (
        MINIMAL
        + "edge:\n  port: ${PORT}\n  access_log: ${LOG:-false}\n  timeout: ${TIMEOUT:-off}\n"
        + 'run: {replicas: "${N:-4}", env: {WHO: "${USER:-me} & co", ESCAPED: "$${X}"}}\n'
    )
    declaration = only(load(text, environ={"PORT": "8081"}))
    assert declaration.edge.port == 8081
    assert declaration.edge.access_log is False
    assert declaration.edge.timeout_s is None
    assert declaration.run.replicas == 4
    assert dict(declaration.run.env) == {"WHO": "me & co", "ESCAPED": "${X}"}


def test_a_missing_name_is_a_fault_at_its_place(complain: Complain) -> None:
    (fault,) = complain(MINIMAL + "edge:\n  port: ${PORT}\n")
    assert str(fault) == (
        "mainstay.yaml:4:9: edge.port: PORT is not set in the environment, "
        "and no default is declared"
    )


def test_a_value_from_outside_is_not_shown(complain: Complain) -> None:
    (fault,) = complain(MINIMAL + "edge: '${PORT}'\n", environ={"PORT": "abc-secret"})
    assert fault.found == '"${PORT}"'
    assert "abc" not in str(fault)


def test_lists_and_maps_are_bounded(complain: Complain) -> None:
    many = ", ".join(f"A{i}: x" for i in range(257))
    steps = ", ".join(["1%"] * 21)
    faults = complain(MINIMAL + f"run: {{env: {{{many}}}}}\nrollout: {{steps: [{steps}]}}\n")
    assert [f.path for f in faults] == ["run.env", "rollout.steps"]
    assert "has 257 keys; at most 256" in faults[0].sentence


def test_a_bad_name_in_a_map_is_a_fault_of_its_key(complain: Complain) -> None:
    (fault,) = complain(MINIMAL + "run:\n  env:\n    1A: x\n    B: y\n")
    assert (fault.line, fault.column, fault.path) == (5, 5, "run.env.1A")


def test_hostile_keys_stay_on_one_line(complain: Complain) -> None:
    (fault,) = complain(MINIMAL + '"\\x1b[31m\\nred": 1\n')
    assert str(fault).isprintable()


def test_sources_say_where_each_value_came_from(load: Load, tmp_path: Path) -> None:
    loaded = load(MINIMAL + "edge: 8080\ndependencies:\n  a:\n    url: http://x\n    timeout: 2s\n")
    file = tmp_path / "mainstay.yaml"
    assert str(loaded.source("shop", "edge.port")) == f"{file}:3:7"
    assert str(loaded.source("shop", "dependencies.a.timeout.total")) == f"{file}:7:14"
    assert str(loaded.source("shop", "dependencies.a.timeout.connect")) == "default"
    assert loaded.source("shop", "inbound.deadline").is_default
    assert loaded.source("shop", "rollout").is_default


def test_notes_name_what_nothing_acts_on_yet(load: Load) -> None:
    loaded = load(MINIMAL + "rollout:\n  hold: 1s\nobjectives:\n- {name: a, target: 99%}\n")
    assert [(note.path, note.place.line) for note in loaded.notes if note.place] == [
        ("objectives", 5),
        ("rollout.hold", 4),
    ]
    assert "nothing acts on it in this version" in str(loaded.notes[0])


@pytest.mark.parametrize(
    ("rollout", "noted"),
    [
        ("recreate", []),
        ("{strategy: recreate}", []),
        ("rolling", []),
        ("canary", ["rollout"]),
        ("{strategy: blue_green}", ["rollout.strategy"]),
    ],
)
def test_notes_name_words_that_nothing_acts_on_yet(
    load: Load, rollout: str, noted: list[str]
) -> None:
    loaded = load(f"{MINIMAL}rollout: {rollout}\n")
    assert [note.path for note in loaded.notes] == noted


SYSTEM = {
    "mainstay.yaml": "name: shop\nsystem: [front, back]\n",
    "front/mainstay.yaml": """\
        service: storefront
        app: a:a
        dependencies: {catalog: {service: catalog, timeout: 2s}}
        """,
    "back/mainstay.yaml": "service: catalog\napp: a:a\n",
}


def test_a_system_knows_its_services(load: Load, tmp_path: Path) -> None:
    loaded = load(SYSTEM)
    assert loaded.system.name == "shop"
    assert loaded.system.root == tmp_path
    assert [member.name for member in loaded.system.members] == ["storefront", "catalog"]
    assert loaded.system.member("catalog").folder == tmp_path / "back"
    assert [str(f.relative_to(tmp_path)) for f in loaded.files] == list(SYSTEM)


def test_a_system_without_a_name_has_its_folders(load: Load, tmp_path: Path) -> None:
    loaded = load(SYSTEM | {"mainstay.yaml": "system: [front, back]\n"})
    assert loaded.system.name == tmp_path.name


def test_faults_of_all_files_come_together(complain: Complain) -> None:
    faults = complain(
        {
            "mainstay.yaml": "system:\n  - front\n  - bak\n  - front\nnam: x\n",
            "front/mainstay.yaml": "service: a\napp: a:a\nrun: 100\n",
            "back/mainstay.yaml": "service: b\napp: b:b\n",
        }
    )
    assert [(f.file, f.line, f.column, f.path) for f in faults] == [
        ("front/mainstay.yaml", 3, 6, "run"),
        ("mainstay.yaml", 3, 5, "system[1]"),
        ("mainstay.yaml", 4, 5, "system[2]"),
        ("mainstay.yaml", 5, 1, "nam"),
    ]


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"mainstay.yaml": "system: []\n"}, "names no service"),
        ({"mainstay.yaml": "system: [.]\n"}, "holds a system"),
        ({"mainstay.yaml": "system: [/etc]\n"}, "a folder, relative to this file"),
        ({"mainstay.yaml": "service: b\nsystem: [a]\n"}, "unknown key"),
        ({"mainstay.yaml": ""}, "is empty"),
        ({"mainstay.yaml": "[]"}, "expected a mapping, found a list of 0"),
        ({"mainstay.yaml": "text"}, 'expected a mapping, found the text "text"'),
        ({"other.yaml": ""}, "can't be read: no such file"),
        ({"mainstay.yml": MINIMAL}, "there is a mainstay.yml, rename it"),
        ({"other.yaml": MINIMAL}, "no such file or directory; the least is `service: NAME`"),
    ],
)
def test_files_that_are_no_declaration(
    complain: Complain, files: dict[str, str], part: str
) -> None:
    faults = complain(files)
    assert part in faults[0].sentence


def test_a_file_may_have_any_name(write: Write) -> None:
    folder = write({"other.yaml": MINIMAL, "other.prod.yaml": "edge: 80\n"})
    loaded = load_system(str(folder / "other.yaml"), env="prod", environ={})
    assert only(loaded).edge.port == 80


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "/dev/null/x", "/dev/zero"])
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(ConfigInvalid, match="can't be read"):
        load_system(path, environ={})


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mainstay.yaml")
    with pytest.raises(ConfigInvalid, match="not a regular file"):
        load_system(tmp_path, environ={})


def test_a_process_loads_its_service_without_the_others(write: Write) -> None:
    folder = write(SYSTEM)
    alone = load_service(folder / "front", environ={})
    assert alone.system.name == "storefront"
    with pytest.raises(ConfigInvalid, match="unknown service catalog"):
        load_system(folder / "front", environ={})
    known = load_system(folder / "front", environ={"MAINSTAY_URL_CATALOG": "http://x"})
    assert known.system == alone.system
    with pytest.raises(ConfigInvalid, match="is the file of a system"):
        load_service(folder, environ={})


def test_two_loads_are_equal(write: Write) -> None:
    folder = write(SYSTEM)
    assert load_system(folder, environ={}) == load_system(folder, environ={})
