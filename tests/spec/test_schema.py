"""The JSON Schema says what the door says, as far as a schema can."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mainstay.spec.declaration import Declaration
from mainstay.spec.kinds.keys import keys_of
from mainstay.spec.kinds.kinds import ListOf, MapOf, Section
from mainstay.spec.reading.systemfile import SystemFile
from mainstay.spec.reference import reference_page
from mainstay.spec.schema import json_schema

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(json_schema())


def parsed(text: str) -> Any:
    """Read as an editor does: YAML 1.2 has no flag ``off``, and its key ``on`` is a text."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if not tag.endswith((":bool", ":timestamp"))]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile("(?:true|false)$"), ["t", "f"]
    )
    return yaml.load(text, Loader=Loader)  # noqa: S506  A SafeLoader with fewer resolvers.


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())
    Draft202012Validator.check_schema(json_schema(overlay=True))


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("**/mainstay*.yaml")), ids=str)
def test_the_examples_are_valid(file: Path) -> None:
    schema = json_schema(overlay=file.name != "mainstay.yaml")
    errors = Draft202012Validator(schema).iter_errors(parsed(file.read_text()))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "text",
    [
        "service: a\napp: a:a\nedge: 8080\n",
        "service: a\nversion: 1.10\nrun: {replicas: '${N:-3}', env: {A: 1, B: '${file:x}'}}\n",
        "service: a\nedge: {retry: off, eject: null, port: '${PORT}'}\n",
        "service: a\nedge: {retry: {on: [503, connect]}, balance: maglev, health: tcp}\n",
        "service: a\ndependencies: {b: {timeout: 2s, bulkhead: 32}, c: {timeout: {attempt: auto}}}",
        "service: a\ndependencies: {b: {breaker: {rate: 50% of 20 in 30s}}}\n",
        "service: a\nrollout: canary\nobjectives:\ninbound: {rate_limit: 5/min}\n",
        "service: a\nrollout: {steps: [5%, '${LAST}']}\ncommand: [a, 80]\n",
        "system: [a, b]\nname: x\n",
    ],
)
def test_what_loads_is_valid(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(parsed(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "app: a:a\n",
        "service: a\nservce: b\n",
        "service: A\n",
        "service: a\nrun: {replicas: 100}\n",
        "service: a\nrun: {memory_max: 512}\n",
        "service: a\ninbound: {drain: off}\n",
        "service: a\nedge: {health: {intervall: 5s}}\n",
        "service: a\nedge: {retry: {on: [500]}}\n",
        "service: a\ndependencies: {B: {url: x}}\n",
        "system: [a]\nservice: b\n",
        "[]",
    ],
)
def test_what_does_not_load_is_not_valid(text: str) -> None:
    assert not VALIDATOR.is_valid(parsed(text))


def test_an_overlay_needs_no_key() -> None:
    overlay = Draft202012Validator(json_schema(overlay=True))
    assert overlay.is_valid({"edge": {"port": 80}})
    assert not overlay.is_valid({"edge": {"prt": 80}})


def sections(cls: type) -> set[type]:
    found = {cls}
    for _, key, _ in keys_of(cls):
        kind = key.kind
        while isinstance(kind, ListOf | MapOf):
            kind = kind.item
        if isinstance(kind, Section):
            found |= sections(kind.cls)
    return found


def test_every_key_has_its_words_and_every_name_is_its_own() -> None:
    definitions = json_schema()["$defs"]
    classes = sections(Declaration) | {SystemFile}
    assert len(definitions) == len(classes)
    for cls in classes:
        for _, key, _ in keys_of(cls):
            described = definitions[cls.__name__]["properties"][key.name]
            assert described["description"].startswith(key.doc)


def test_every_default_and_example_of_the_schema_is_valid_by_it() -> None:
    checked = 0

    def walk(schema: Any) -> None:
        nonlocal checked
        if isinstance(schema, list):
            for one in schema:
                walk(one)
        if not isinstance(schema, dict):
            return
        told = [schema["default"]] if "default" in schema else []
        for example in told + schema.get("examples", []):
            whole = {"$defs": json_schema()["$defs"], **schema}
            assert Draft202012Validator(whole).is_valid(example), (example, schema)
            checked += 1
        for one in schema.values():
            walk(one)

    walk(json_schema()["$defs"])
    assert checked > 80


def test_the_reference_page_is_up_to_date() -> None:
    """Written with: python -c "from mainstay.spec.reference import *; print(reference_page())"."""
    page = ROOT / "docs" / "reference" / "declaration.md"
    assert page.read_text(encoding="utf-8") == reference_page()


def test_the_reference_page_has_every_key_once() -> None:
    page = reference_page()
    keys = [key for cls in sections(Declaration) | {SystemFile} for _, key, _ in keys_of(cls)]
    assert page.count("\n| `") >= len(keys)
    assert page.count("*Nothing acts on it in this version.*") >= len(
        [key for key in keys if not key.acts]
    )
