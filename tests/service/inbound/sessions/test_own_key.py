"""The key of sessions that nobody declared."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.service.inbound.sessions.own_key import own_key


def environ(folder: Path) -> dict[str, str]:
    return {"MAINSTAY_RUN_DIR": str(folder)}


def file_of(folder: Path) -> Path:
    return folder / "shop.session-key"


def test_it_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "run"
    key = own_key("shop", environ(folder))
    assert len(key.reveal()) == 64
    assert own_key("shop", environ(folder)) == key
    assert own_key("cart", environ(folder)) != key
    assert own_key("shop", environ(tmp_path / "elsewhere")) != key
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file_of(folder).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder.iterdir()) == [
        "cart.session-key",
        "shop.session-key",
    ]
    assert key.reveal() not in f"{key} {key!r}"


def test_replicas_that_start_at_once_have_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    begin = threading.Barrier(8)

    def start() -> None:
        begin.wait()
        found.append(own_key("shop", environ(tmp_path)).reveal())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert list(tmp_path.iterdir()) == [file_of(tmp_path)]


def readable(path: Path) -> None:
    path.write_text("a" * 64)
    path.chmod(0o640)


def short(path: Path) -> None:
    path.write_text("")
    path.chmod(0o600)


def link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("a" * 64)
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("spoil", [readable, short, link, Path.mkdir, os.mkfifo])
def test_what_is_no_key_of_ours_is_refused(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(file_of(tmp_path))
    with pytest.raises(ConfigInvalid, match=r"shop\.session-key: "):
        own_key("shop", environ(tmp_path))


def test_without_a_place_for_it_the_sentence_says_what_to_write() -> None:
    with pytest.raises(ConfigInvalid, match=r"keys: \['\$\{file:session.key\}'\]"):
        own_key("shop", {})
