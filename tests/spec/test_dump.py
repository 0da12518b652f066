"""From values back to YAML: only what differs, and equal when it is loaded again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mainstay.spec.declaration import Declaration
from mainstay.spec.dump import dump, dump_system
from mainstay.spec.load import Loaded, load_system

Write = Callable[..., Path]
Load = Callable[..., Loaded]


def test_defaults_are_left_out() -> None:
    assert dump(Declaration(service="a", app="a:a")) == "service: a\napp: a:a\n"


def test_a_declaration_is_written_as_people_write_it(load: Load) -> None:
    text = """\
service: a
version: '1.10'
app: a:a
run:
  replicas: 5
edge:
  port: 8080
  retry: off
inbound:
  deadline: 90s
  rate_limit:
    rate: 5/min
dependencies:
  b:
    url: http://x
    timeout:
      attempt: auto
      total: 2.5s
    retry:
      backoff: 50ms..2s
    breaker:
      rate: 50% of 20 in 30s
"""
    assert dump(load(text).system.members[0].declaration) == text


@pytest.mark.parametrize(
    "value",
    ["no", "off", "null", "~", "", "true", "1e3", "0777", "1_000", "12:30", "${X}", "$${X}", "$$",
     " lead", "trail ", "a: b", "# no comment", "a\nb\n", "\ttab", "é 🚲 \u2028 \x85", "'\"", "*x",
     "!tag", "%", "@", "- x", "x" * 4000, "a " * 1000, "\x7f", "\ufeff", "{}", "[]", "=", "<<"],
)  # fmt: skip
def test_any_text_survives(write: Write, value: str) -> None:
    declaration = Declaration(service="a", command=("run", value))
    folder = write(dump(declaration))
    again = load_system(folder, environ={}).system.members[0].declaration
    assert again.command == ("run", value)


def test_readers_of_yaml_1_1_read_the_same() -> None:
    """Keys and texts that they would take for flags are quoted; ``off`` is false to them."""
    text = dump(Declaration(service="a", command=("no", "on", "1_000")))
    assert yaml.safe_load(text)["command"] == ["no", "on", "1_000"]


def test_the_file_of_a_system_survives(write: Write) -> None:
    folder = write(
        {
            "mainstay.yaml": "name: big\nsystem: [x/a, b]\n",
            "x/a/mainstay.yaml": "service: one\napp: a:a\n",
            "b/mainstay.yaml": "service: two\napp: a:a\n",
        }
    )
    system = load_system(folder, environ={}).system
    assert dump_system(system) == "system:\n- x/a\n- b\nname: big\n"
    write(dump_system(system))
    assert load_system(folder, environ={}).system == system


def test_the_file_of_a_lone_service_is_that_of_the_service(load: Load) -> None:
    system = load("service: a\napp: a:a\n").system
    assert dump_system(system) == "service: a\napp: a:a\n"
