"""``mainstay.<env>.yaml`` over ``mainstay.yaml``."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.declaration import Declaration
from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded, load_service, load_system

Write = Callable[..., Path]
Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

BASE = """\
service: shop
app: shop:app
edge:
  port: 8080
  retry: {on: [connect, 503], attempts: 2}
run: {replicas: 2, env: {A: a, B: b}}
"""


def overlaid(load: Load, overlay: str, base: str = BASE) -> Declaration:
    loaded = load({"mainstay.yaml": base, "mainstay.prod.yaml": overlay}, env="prod")
    return loaded.system.members[0].declaration


def test_mappings_are_merged_and_lists_and_values_replaced(load: Load) -> None:
    declaration = overlaid(
        load, "edge: {host: 127.0.0.2, retry: {on: [gateway]}}\nrun: {env: {B: x, C: c}}\n"
    )
    assert declaration.edge.port == 8080
    assert declaration.edge.host == "127.0.0.2"
    assert declaration.edge.retry is not None
    assert declaration.edge.retry.on == ("gateway",)
    assert declaration.edge.retry.attempts == 2
    assert declaration.run.replicas == 2
    assert declaration.run.env == (("A", "a"), ("B", "x"), ("C", "c"))


def test_a_shorthand_counts_as_the_mapping_it_stands_for(load: Load) -> None:
    assert overlaid(load, "run: 5\nedge: 80\n").run.env == (("A", "a"), ("B", "b"))
    short = "service: shop\napp: a:a\nedge: 8080\n"
    edge = overlaid(load, "edge: {host: 127.0.0.2}\n", short).edge
    assert (edge.port, edge.host) == (8080, "127.0.0.2")


def test_off_replaces_and_is_replaced(load: Load) -> None:
    assert overlaid(load, "edge: {retry: off}\n").edge.retry is None
    base = BASE.replace("{on: [connect, 503], attempts: 2}", "off")
    retry = overlaid(load, "edge: {retry: {attempts: 4}}\n", base).edge.retry
    assert retry is not None
    assert retry.attempts == 4


def test_an_empty_overlay_changes_nothing(load: Load) -> None:
    assert overlaid(load, "# nothing yet\n") == overlaid(load, "{}\n")


def test_faults_name_the_line_of_the_overlay(complain: Complain) -> None:
    overlay = "run:\n  replicas: many\nedge: {helth: off}\n"
    faults = complain({"mainstay.yaml": BASE, "mainstay.prod.yaml": overlay}, env="prod")
    assert [(f.file, f.line, f.column, f.path) for f in faults] == [
        ("mainstay.prod.yaml", 2, 13, "run.replicas"),
        ("mainstay.prod.yaml", 3, 8, "edge.helth"),
    ]


def test_a_fault_of_the_base_stays_in_the_base(complain: Complain) -> None:
    files = {"mainstay.yaml": BASE + "inbound: {drain: x}\n", "mainstay.prod.yaml": "edge: 80\n"}
    assert [f.file for f in complain(files, env="prod")] == ["mainstay.yaml"]


def test_an_overlay_mends_the_base(load: Load) -> None:
    files = {"mainstay.yaml": BASE.replace("2,", "many,"), "mainstay.prod.yaml": "run: 3\n"}
    assert load(files, env="prod").system.members[0].declaration.run.replicas == 3


def test_the_environment_names_the_overlay(load: Load) -> None:
    files = {"mainstay.yaml": BASE, "mainstay.prod.yaml": "run: 7\n"}
    loaded = load(files, environ={"MAINSTAY_ENV": "prod"})
    assert loaded.env == "prod"
    assert loaded.system.members[0].declaration.run.replicas == 7
    assert load(files, environ={"MAINSTAY_ENV": ""}).env is None


def test_the_argument_wins_over_the_environment(load: Load) -> None:
    files = {
        "mainstay.yaml": BASE, "mainstay.prod.yaml": "run: 7\n", "mainstay.dev.yaml": "run: 1\n",
    }  # fmt: skip
    loaded = load(files, env="dev", environ={"MAINSTAY_ENV": "prod"})
    assert loaded.system.members[0].declaration.run.replicas == 1


def test_an_unknown_env_that_was_asked_for_is_a_fault(complain: Complain) -> None:
    files = {"mainstay.yaml": BASE, "mainstay.prod.yaml": "run: 7\n"}
    (fault,) = complain(files, env="prd")
    assert fault.nearest == "prod"
    (fault,) = complain({"mainstay.yaml": BASE}, env="staging")
    assert "no file has an overlay mainstay.staging.yaml" in fault.sentence
    assert "there are: prod" in fault.sentence


def test_an_unknown_env_of_the_machine_is_a_note_unless_misspelt(
    load: Load, complain: Complain
) -> None:
    files = {"mainstay.yaml": BASE, "mainstay.prod.yaml": "run: 7\n"}
    loaded = load(files, environ={"MAINSTAY_ENV": "staging"})
    assert "MAINSTAY_ENV is staging, but no file has" in str(loaded.notes[0])
    (fault,) = complain(files, environ={"MAINSTAY_ENV": "prdo"})
    assert fault.nearest == "prod"


@pytest.mark.parametrize("env", ["../x", "a/b", "", "PROD", "a" * 41, "a.b", "\n"])
def test_an_env_is_no_path(write: Write, env: str) -> None:
    folder = write(BASE)
    with pytest.raises(ConfigInvalid, match="expected an environment's name"):
        load_system(folder, env=env, environ={})


def test_a_system_is_overlaid_as_a_whole(load: Load, write: Write) -> None:
    files = {
        "mainstay.yaml": "system: [a]\n",
        "mainstay.prod.yaml": "system: [a, b]\nname: big\n",
        "a/mainstay.yaml": "service: a\napp: a:a\n",
        "a/mainstay.prod.yaml": "run: 9\n",
        "b/mainstay.yaml": "service: b\napp: b:b\n",
    }
    system = load(files, env="prod").system
    assert system.name == "big"
    assert [member.declaration.run.replicas for member in system.members] == [9, 3]
    assert len(load(files).system.members) == 1
    # One service of a system may be without an overlay; its process starts all the same.
    assert load_service(write(files) / "b", env="prod", environ={}).system.name == "b"
