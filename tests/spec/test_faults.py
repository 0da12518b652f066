import json

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.faults import FAULTS_MAX, Fault, Faults, Place, fault_at, nearest, shown

PLACE = Place(file="mainstay.yaml", line=12, column=5)


def test_a_fault_is_one_line() -> None:
    fault = fault_at(PLACE, "edge.health.intervall", "unknown key; did you mean interval?")
    expected = "mainstay.yaml:12:5: edge.health.intervall: unknown key; did you mean interval?"
    assert str(fault) == expected


def test_a_fault_of_the_whole_file_has_no_path() -> None:
    assert str(fault_at(PLACE, "", "is empty")) == "mainstay.yaml:12:5: is empty"


def test_a_fault_for_machines() -> None:
    fault = fault_at(PLACE, "a.b", "wrong", found="x", expected="y", nearest="z")
    assert json.loads(json.dumps(fault.as_json())) == {
        "file": "mainstay.yaml", "line": 12, "column": 5, "path": "a.b", "found": "x",
        "expected": "y", "nearest": "z", "sentence": "wrong",
    }  # fmt: skip


def test_all_faults_come_at_once_in_the_order_of_their_place() -> None:
    faults = Faults()
    for line in (3, 1, 2):
        faults.add(fault_at(Place(file="b", line=line, column=1), "", "wrong"))
    faults.add(fault_at(Place(file="a", line=9, column=1), "", "wrong"))
    with pytest.raises(ConfigInvalid) as caught:
        faults.raise_any()
    places = [(f.file, f.line) for f in caught.value.faults if isinstance(f, Fault)]
    assert places == [("a", 9), ("b", 1), ("b", 2), ("b", 3)]


def test_too_many_faults_are_counted() -> None:
    faults = Faults()
    for _ in range(FAULTS_MAX + 5):
        faults.add(fault_at(PLACE, "", "wrong"))
    with pytest.raises(ConfigInvalid) as caught:
        faults.raise_any()
    assert len(caught.value.faults) == FAULTS_MAX + 1
    assert str(caught.value.faults[-1]).endswith("and 5 more faults")


def test_no_faults_raise_nothing() -> None:
    faults = Faults()
    faults.raise_any()
    assert faults.count == 0


@pytest.mark.parametrize(
    ("word", "meant"),
    [("intervall", "interval"), ("retyr", "retry"), ("time_out", "timeout"),
     ("Timeout", "timeout"), ("rateLimit", "rate_limit"), ("rate-limit", "rate_limit"),
     ("tiemout", "timeout"), ("zzz", None), ("x", None), ("timeout" * 20, None), ("", None)],
)  # fmt: skip
def test_the_nearest_word(word: str, meant: str | None) -> None:
    known = ("interval", "timeout", "retry", "rate_limit", "fall")
    assert nearest(word, known) == meant


def test_what_is_shown_cannot_move_the_cursor() -> None:
    assert shown("a\x1b[31m\nb") == '"a\\x1b[31m\\nb"'
    assert len(shown("x" * 1000)) < 60
