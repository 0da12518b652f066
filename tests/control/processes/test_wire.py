import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.engines.local.records import Record, ReplicaRecord, WishRecord
from mainstay.control.processes.identity import ProcessIdentity
from mainstay.control.processes.wire import WireInvalid, from_wire, to_wire

numbers = st.floats(allow_nan=False, allow_infinity=False)
pids = st.integers(2, 2**22)
identities = st.builds(
    ProcessIdentity,
    name=st.text(),
    pid=pids,
    started_s=numbers,
    shim_pid=pids,
    shim_started_s=numbers,
    log_path=st.text(),
    end_path=st.text(),
)
records = st.builds(
    Record,
    boot_id=st.text(),
    system=st.text(),
    edge=st.none() | identities,
    replicas=st.lists(
        st.builds(
            ReplicaRecord,
            identity=identities,
            service=st.text(),
            number=st.integers(),
            port=st.integers(1, 65535),
            version=st.text(),
            revision=st.text(),
            check=st.none() | st.text(),
            started_at_s=numbers,
        ),
        max_size=3,
    ).map(tuple),
    wishes=st.lists(
        st.builds(WishRecord, service=st.text(), replicas=st.integers(), generation=st.integers())
    ).map(tuple),
    internal_ports=st.lists(st.tuples(st.text(), st.integers())).map(tuple),
    revisions=st.lists(st.tuples(st.text(), st.text())).map(tuple),
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
GOOD = {
    "name": "a", "pid": 10, "started_s": 1.5, "shim_pid": 9, "shim_started_s": 1,
    "log_path": "/l", "end_path": "/e",
}  # fmt: skip


@given(record=records)
def test_a_value_survives_the_wire(record: Record) -> None:
    assert from_wire(Record, json.loads(json.dumps(to_wire(record)))) == record


@given(document=documents)
def test_a_foreign_document_is_refused_in_one_sentence(document: object) -> None:
    with pytest.raises(WireInvalid) as caught:
        from_wire(ProcessIdentity, document)
    assert "\n" not in str(caught.value).strip()


@given(name=st.sampled_from(sorted(GOOD)), document=documents)
def test_a_field_that_was_exchanged_is_taken_or_refused_never_an_accident(
    name: str, document: object
) -> None:
    try:
        identity = from_wire(ProcessIdentity, GOOD | {name: document})
    except WireInvalid:
        return
    assert identity.pid > 1
    assert identity.shim_pid > 1


@pytest.mark.parametrize("pid", [1, 0, -1, -12345, 2**31, 10**400])
@pytest.mark.parametrize("name", ["pid", "shim_pid"])
def test_a_number_that_kill_would_take_for_everyone_is_no_process_of_ours(
    name: str, pid: int
) -> None:
    with pytest.raises(WireInvalid, match=f"{pid} cannot be a process"):
        from_wire(ProcessIdentity, GOOD | {name: pid})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pid": True}, "pid is not a int"),
        ({"started_s": 10**400}, "started_s is not a float"),
        ({"pid": 10.0}, "pid is not a int"),
        ({"name": None}, "name is not a str"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], why: str) -> None:
    with pytest.raises(WireInvalid, match=why):
        from_wire(ProcessIdentity, GOOD | change)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(WireInvalid, match="started_s"):
        from_wire(ProcessIdentity, {name: GOOD[name] for name in GOOD if name != "started_s"})
