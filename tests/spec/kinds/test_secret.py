"""A secret is known to the process and to nobody who prints it."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.dump import dump
from mainstay.spec.kinds.secret import Secret, reveal
from mainstay.spec.load import load_system

VALUE = "hunter2-and-more"

DECLARATION = """\
service: shop
app: shop:app
run:
  env:
    PASSWORD: ${file:password}
    DSN: "postgresql://shop:${file:password}@db/shop"
dependencies:
  db:
    url: "postgresql://shop:${file:password}@db/shop"
    timeout: 2s
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text(VALUE + "\n")
    (tmp_path / "mainstay.yaml").write_text(DECLARATION)
    return tmp_path


def test_no_way_of_printing_shows_the_value() -> None:
    secret = Secret("${file:x}", VALUE)

    @dataclasses.dataclass(frozen=True)
    class Holder:
        secret: Secret

    outputs = [
        str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret:>20}", "%s" % secret,  # noqa: UP031
        repr(Holder(secret)), repr(dataclasses.asdict(Holder(secret))),
        repr(dataclasses.astuple(Holder(secret))), json.dumps({"s": secret}, default=str),
        repr(pickle.loads(pickle.dumps(secret))), repr(copy.deepcopy(secret)),  # noqa: S301
    ]  # fmt: skip
    assert not [text for text in outputs if VALUE in text]


def test_a_copy_is_still_the_secret() -> None:
    secret = Secret("${file:x}", VALUE)
    assert copy.copy(secret) == secret
    assert copy.deepcopy({"s": secret})["s"].reveal() == VALUE
    assert secret != Secret("${file:x}", "another")
    assert hash(secret) == hash(Secret("${file:x}", VALUE))
    with pytest.raises(AttributeError):
        secret.reference = "x"


def test_the_process_knows_it(folder: Path) -> None:
    declaration = load_system(folder, environ={}).system.members[0].declaration
    env = dict(declaration.run.env)
    assert reveal(env["PASSWORD"]) == VALUE
    assert reveal(env["DSN"]) == f"postgresql://shop:{VALUE}@db/shop"


def test_what_is_loaded_shows_only_the_reference(folder: Path) -> None:
    loaded = load_system(folder, environ={})
    declaration = loaded.system.members[0].declaration
    assert "${file:password}" in dump(declaration)
    for text in (repr(loaded), str(loaded), dump(declaration), repr(dataclasses.asdict(loaded))):
        assert VALUE not in text


def test_it_survives_load_dump_load(folder: Path) -> None:
    declaration = load_system(folder, environ={}).system.members[0].declaration
    (folder / "mainstay.yaml").write_text(dump(declaration))
    again = load_system(folder, environ={}).system.members[0].declaration
    assert again == declaration


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("service: ${file:password}\n", id="where none may stand"),
        pytest.param("version: ${file:password}\n", id="in a text that is shown"),
        pytest.param("edge: {port: '${file:password}'}\n", id="as a number"),
        pytest.param("dependencies: {a: {url: '${file:password}'}}\n", id="not of the form"),
        pytest.param("run: {env: {A: ['${file:password}']}}\n", id="in a list"),
        pytest.param("run: {env: '${file:password}'}\n", id="in place of a mapping"),
        pytest.param("passwort: ${file:password}\n", id="at an unknown key"),
        pytest.param("run: {env: {A: '${file:binary}'}}\n", id="not UTF-8"),
        pytest.param("run: {env: {A: '${file:large}'}}\n", id="too large"),
        pytest.param("run: {env: {A: '${file:nul}'}}\n", id="with a NUL"),
    ],
)
def test_no_fault_shows_the_value(folder: Path, broken: str) -> None:
    (folder / "binary").write_bytes(VALUE.encode() + b"\xff")
    (folder / "large").write_text(VALUE * 10_000)
    (folder / "nul").write_text(VALUE + "\0")
    (folder / "mainstay.yaml").write_text(broken)
    with pytest.raises(ConfigInvalid) as caught:
        load_system(folder, environ={})
    output = str(caught.value) + repr(caught.value) + repr(caught.value.faults)
    output += json.dumps([fault.as_json() for fault in caught.value.faults])  # type: ignore[attr-defined]
    assert VALUE not in output
    assert str(caught.value.faults[0])


def test_a_password_from_the_environment_is_not_in_a_fault(folder: Path) -> None:
    (folder / "mainstay.yaml").write_text("service: ${PASSWORD}\nedge: ${PASSWORD}\n")
    with pytest.raises(ConfigInvalid) as caught:
        load_system(folder, environ={"PASSWORD": VALUE})
    assert VALUE not in str(caught.value)
    assert "${PASSWORD}" in str(caught.value)


def test_a_password_in_a_wrong_url_is_not_in_a_fault(folder: Path) -> None:
    text = f"service: a\napp: a:a\ndependencies: {{db: {{url: 'postgresql//u:{VALUE}@h'}}}}\n"
    (folder / "mainstay.yaml").write_text(text)
    with pytest.raises(ConfigInvalid) as caught:
        load_system(folder, environ={})
    assert VALUE not in str(caught.value)
    assert "expected a URL" in str(caught.value)
