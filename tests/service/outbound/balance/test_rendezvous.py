"""Keys stay where they are; only those of who leaves move."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.member import Member
from mainstay.service.outbound.balance.rendezvous import Rendezvous

PICKER = Rendezvous()
HOSTS = st.lists(st.integers(0, 999), min_size=2, max_size=12, unique=True)
WEIGHTS = st.integers(1, 10)
KEYS = [f"customer-{number}" for number in range(200)]


def member_of(number: int, weight: int = 1) -> Member:
    return Member(Endpoint(host=f"host-{number}", port=8080, weight=weight))


def placed(members: list[Member], keys: list[str]) -> dict[str, str]:
    return {key: PICKER.pick(members, 0.0, key).endpoint.host for key in keys}


@given(numbers=HOSTS, data=st.data())
def test_who_leaves_takes_only_its_own_keys_away(numbers: list[int], data: st.DataObject) -> None:
    members = [member_of(number, data.draw(WEIGHTS)) for number in numbers]
    leaver = data.draw(st.sampled_from(members))
    before = placed(members, KEYS)
    after = placed([member for member in members if member is not leaver], KEYS)
    moved = {key for key in KEYS if before[key] != after[key]}
    assert moved == {key for key in KEYS if before[key] == leaver.endpoint.host}


@given(numbers=HOSTS, data=st.data(), text=st.text(max_size=30))
def test_the_order_of_the_members_does_not_matter(
    numbers: list[int], data: st.DataObject, text: str
) -> None:
    members = [member_of(number) for number in numbers]
    shuffled = data.draw(st.permutations(members))
    assert placed(members, [text]) == placed(shuffled, [text])


def test_keys_are_shared_by_weight() -> None:
    members = [member_of(number, weight) for number, weight in enumerate((1, 2, 3, 4))]
    keys = [str(number) for number in range(20_000)]
    counted = Counter(placed(members, keys).values())
    # Five standard deviations of a binomial around each share.
    for number, weight in enumerate((1, 2, 3, 4)):
        share = weight / 10
        assert (
            abs(counted[f"host-{number}"] - 20_000 * share)
            < 5 * (20_000 * share * (1 - share)) ** 0.5
        )


def test_the_keys_of_who_leaves_go_to_all_the_others() -> None:
    members = [member_of(number) for number in range(5)]
    keys = [str(number) for number in range(20_000)]
    before = placed(members, keys)
    orphans = [key for key in keys if before[key] == "host-0"]
    counted = Counter(placed(members[1:], orphans).values())
    mean = len(orphans) / 4
    assert all(abs(counted[f"host-{number}"] - mean) < 5 * mean**0.5 for number in range(1, 5))


def test_every_process_and_version_agrees() -> None:
    """Fixed for good: clients that disagree about a key's place share no cache."""
    members = [member_of(number) for number in range(5)]
    keys = ["", "alice", "bob", "carol", "日本", "\ud800"]
    placed_at = [host.removeprefix("host-") for host in placed(members, keys).values()]
    assert "".join(placed_at) == "240213"


def test_it_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        PICKER.pick([member_of(1)], 0.0, None)
