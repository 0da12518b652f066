"""What every store of sessions keeps to."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contract.conftest import Run
from tests.contract.stores.servers import until

from mainstay.core.sessions import NOW, Ages, Birth, Name, Outcome
from mainstay.service.inbound.sessions.records import SessionRecords

AGES = Ages(1_800_000, 43_200_000, 60_000)
SIZE = 16 * 1024
ANON = Birth(NOW, None, "")
ADA = Birth(NOW, NOW, "ada é")


@pytest.fixture
def name() -> Name:
    return Name(secrets.token_hex(12), secrets.token_hex(20))


def test_what_was_made_is_found(records: SessionRecords, name: Name) -> None:
    fields = {"cart": '["é 🚲",1]', "": "null", "c": "1", ".x": '""'}
    assert records.load(name, AGES) is None
    assert records.create(name, ADA, fields, AGES) is Outcome.DONE
    found = records.load(name, AGES)
    assert found is not None
    assert found.fields == fields
    assert found.birth.user == "ada é"
    assert found.birth.bound is not None
    assert found.birth.created <= found.birth.bound


def test_a_session_without_a_user_has_none(records: SessionRecords, name: Name) -> None:
    records.create(name, ANON, {}, AGES)
    found = records.load(name, AGES)
    assert found is not None
    assert (found.fields, found.birth.bound, found.birth.user) == ({}, None, "")


def test_fields_are_set_and_removed_and_others_stay(records: SessionRecords, name: Name) -> None:
    records.create(name, ANON, {"a": "1", "b": "1", "c": "1"}, AGES)
    assert records.change(name, {"a": "2", "d": "1"}, ("b", "none"), AGES, SIZE) is Outcome.DONE
    found = records.load(name, AGES)
    assert found is not None
    assert found.fields == {"a": "2", "c": "1", "d": "1"}


def test_a_session_that_ended_is_not_brought_back(records: SessionRecords, name: Name) -> None:
    assert records.change(name, {"a": "1"}, (), AGES, SIZE) is Outcome.GONE
    records.create(name, ANON, {"a": "1"}, AGES)
    records.drop(name)
    records.drop(name)
    assert records.change(name, {"a": "1"}, (), AGES, SIZE) is Outcome.GONE
    assert records.load(name, AGES) is None


@pytest.mark.parametrize(
    ("fields", "removed", "outcome"),
    [
        ({"b": '"' + "x" * 47 + '"'}, (), Outcome.DONE),
        ({"b": '"' + "x" * 48 + '"'}, (), Outcome.FULL),
        ({"b": '"' + "é" * 24 + '"'}, (), Outcome.FULL),
        ({"b": '"' + "x" * 90 + '"'}, ("a",), Outcome.DONE),
        ({"a": '"' + "x" * 97 + '"'}, (), Outcome.DONE),
        ({"a": '"' + "x" * 98 + '"'}, (), Outcome.FULL),
    ],
)
def test_it_has_a_size(
    records: SessionRecords,
    name: Name,
    fields: dict[str, str],
    removed: tuple[str, ...],
    outcome: Outcome,
) -> None:
    """100 bytes of names and texts, of which the one field that is there takes 50."""
    records.create(name, ADA, {"a": "x" * 49}, AGES)
    assert records.change(name, fields, removed, AGES, 100) is outcome
    found = records.load(name, AGES)
    assert found is not None
    assert (found.fields == {"a": "x" * 49}) is (outcome is Outcome.FULL)


def test_all_sessions_of_a_user_end_and_later_ones_do_not(records: SessionRecords) -> None:
    group = secrets.token_hex(12)
    phone, desk, later = (Name(group, secrets.token_hex(20)) for _ in range(3))
    other = Name(secrets.token_hex(12), phone.digest)
    for one in (phone, desk, other):
        records.create(one, ADA, {"a": "1"}, AGES)
    records.revoke(group, AGES)
    records.create(later, ADA, {"a": "1"}, AGES)
    assert records.load(phone, AGES) is None
    assert records.change(desk, {"a": "2"}, (), AGES, SIZE) is Outcome.GONE
    assert records.load(desk, AGES) is None
    assert records.load(later, AGES) is not None
    assert records.load(other, AGES) is not None


def test_a_new_id_does_not_slip_away_from_a_sign_out(records: SessionRecords) -> None:
    """Read, signed out by somebody else, and then given a new id by the request that read it."""
    group = secrets.token_hex(12)
    old, new = (Name(group, secrets.token_hex(20)) for _ in range(2))
    records.create(old, ADA, {"a": "1"}, AGES)
    found = records.load(old, AGES)
    assert found is not None
    records.revoke(group, AGES)
    assert records.create(new, found.birth, found.fields, AGES) is Outcome.GONE
    assert records.load(new, AGES) is None


def test_a_birth_is_kept_to_the_last_digit(records: SessionRecords) -> None:
    old, new = (Name(secrets.token_hex(12), secrets.token_hex(20)) for _ in range(2))
    records.create(old, ADA, {}, AGES)
    found = records.load(old, AGES)
    assert found is not None
    records.create(new, found.birth, {}, AGES)
    again = records.load(new, AGES)
    assert again is not None
    assert again.birth == found.birth


def test_unread_it_ends(records: SessionRecords, name: Name) -> None:
    records.create(name, ANON, {"a": "1"}, Ages(50, 60_000, 1))
    # Not by reading, which would extend it.
    until(lambda: records.change(name, {}, (), Ages(1, 60_000, 1), SIZE) is Outcome.GONE)


def test_read_it_goes_on(records: SessionRecords, name: Name) -> None:
    records.create(name, ANON, {"a": "1"}, Ages(100, 60_000, 1))
    assert records.load(name, AGES) is not None
    until_gone = Name(secrets.token_hex(12), secrets.token_hex(20))
    records.create(until_gone, ANON, {"a": "1"}, Ages(100, 60_000, 1))
    until(lambda: records.load(until_gone, Ages(1, 60_000, 60_000)) is None)
    assert records.load(name, AGES) is not None


def test_however_much_it_is_read_its_lifetime_ends_it(records: SessionRecords, name: Name) -> None:
    ages = Ages(60_000, 200, 1)
    records.create(name, ANON, {"a": "1"}, ages)
    until(lambda: records.load(name, ages) is None)


def test_one_that_is_too_old_is_not_made_anew(records: SessionRecords, name: Name) -> None:
    first = Name(secrets.token_hex(12), secrets.token_hex(20))
    records.create(first, ANON, {}, AGES)
    found = records.load(first, AGES)
    assert found is not None
    until(lambda: records.create(name, found.birth, {}, Ages(60_000, 1, 1)) is Outcome.GONE)


def test_fifty_threads_that_change_different_fields_all_get_their_way(
    records: SessionRecords, name: Name
) -> None:
    records.create(name, ANON, {"shared": "0"}, AGES)

    def change(number: int) -> Outcome:
        return records.change(name, {f"f{number}": "1", "shared": f"{number}"}, (), AGES, SIZE)

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(change, range(50))) == {Outcome.DONE}
    found = records.load(name, AGES)
    assert found is not None
    assert len(found.fields) == 51
    assert found.fields["shared"] in {f"{number}" for number in range(50)}


def test_tasks_do_as_threads(records: SessionRecords, name: Name, run: Run) -> None:
    async def part() -> None:
        assert await records.acreate(name, ADA, {"a": "1"}, AGES) is Outcome.DONE
        assert await records.achange(name, {"b": "2"}, ("a",), AGES, SIZE) is Outcome.DONE
        found = await records.aload(name, AGES)
        assert found is not None
        assert found == records.load(name, AGES)
        assert found.fields == {"b": "2"}
        await records.arevoke(name.group, AGES)
        assert await records.aload(name, AGES) is None
        await records.acreate(name, ADA, {}, AGES)
        await records.adrop(name)
        assert await records.aload(name, AGES) is None

    run(part())
