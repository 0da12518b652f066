"""What differs between two declarations of one service."""

from dataclasses import replace

from mainstay.spec.changes import changed_keys
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed

SHOP = Declaration(service="shop", app="shop:app")


def test_nothing_differs_from_itself() -> None:
    assert changed_keys(SHOP, replace(SHOP, inbound=Inbound())) == ()


def test_parts_are_named_and_what_lies_in_them_is_not() -> None:
    inbound = Inbound(deadline_s=1.0, shed=Shed(limit=7))
    assert changed_keys(SHOP, replace(SHOP, version="v2", inbound=inbound)) == (
        "version",
        "inbound.deadline",
        "inbound.shed",
    )
    assert changed_keys(replace(SHOP, inbound=inbound), SHOP) == (
        "inbound.deadline",
        "inbound.shed",
    )
