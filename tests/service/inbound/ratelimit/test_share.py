"""Where a replica finds out how many share a limit."""

import os
from pathlib import Path

import pytest

from mainstay.control.engines.local.counts import ReplicaCounts
from mainstay.service.inbound.ratelimit.share import Share, whole


def made(declared: int = 4, **environ: str) -> Share:
    return Share(service="web", declared=declared, environ=environ)


def test_who_is_told_nothing_has_what_is_declared() -> None:
    assert made()() == 1 / 4
    assert made(0)() == whole() == 1.0


def test_the_environment_goes_before_the_declaration() -> None:
    assert made(MAINSTAY_REPLICAS="5")() == 1 / 5


@pytest.mark.parametrize("said", ["", "0", "-1", "many", "1e3", "٣", "9" * 7])
def test_what_is_no_number_of_replicas_says_nothing(tmp_path: Path, said: str) -> None:
    assert made(MAINSTAY_REPLICAS=said)() == 1 / 4
    (tmp_path / "web.replicas").write_text(said)
    assert made(MAINSTAY_RUN_DIR=str(tmp_path))() == 1 / 4


def test_the_engine_s_file_goes_before_both_and_is_followed(tmp_path: Path) -> None:
    share = made(MAINSTAY_REPLICAS="5", MAINSTAY_RUN_DIR=str(tmp_path))
    assert share() == 1 / 5
    counts = ReplicaCounts(tmp_path)
    for replicas in (3, 10, 1):
        counts.tell({"web": replicas, "api": 7})
        assert share() == 1 / replicas
    counts.tell({"web": 0})
    assert share() == 1.0, "the last one, on its way out"


def test_what_only_looks_like_the_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.replicas")
    assert made(MAINSTAY_RUN_DIR=str(tmp_path))() == 1 / 4
