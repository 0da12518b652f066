"""The key of sessions that nobody declared."""

import errno
import os
import subprocess
import sys
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
        "cart.session-key.users",
        "shop.session-key",
        "shop.session-key.users",
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
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shop.session-key",
        "shop.session-key.users",
    ]


def in_another_process(folder: Path, then: str = "") -> "subprocess.Popen[str]":
    """Return a process that has the key, prints it, and does as it is told."""
    code = (
        "import os, sys\n"
        "from mainstay.service.inbound.sessions.own_key import own_key\n"
        "print(own_key('shop', os.environ).reveal(), flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code + then],
        env=environ(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_no_other_key_is_made_while_one_is_in_use(tmp_path: Path) -> None:
    """Half of the replicas would not know whom the other half has logged in."""
    with in_another_process(tmp_path, "sys.stdin.read()") as sibling:
        assert sibling.stdout is not None
        key = sibling.stdout.readline().strip()
        file_of(tmp_path).unlink()
        with pytest.raises(ConfigInvalid, match="it is gone, and other replicas still run with it"):
            own_key("shop", environ(tmp_path))
        file_of(tmp_path).write_text(key)
        file_of(tmp_path).chmod(0o600)
        assert own_key("shop", environ(tmp_path)).reveal() == key
        # Another service's is its own.
        own_key("cart", environ(tmp_path))
        sibling.kill()


def test_when_all_have_ended_another_key_may_be_made(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        file_of(tmp_path).unlink(missing_ok=True)
        keys.append(in_another_process(tmp_path).communicate(timeout=60)[0].strip())
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {64}


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


def test_a_disk_that_is_full_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each start that fails would leave one more file."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigInvalid, match="no space left"):
        own_key("shop", environ(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["shop.session-key.users"]


def test_without_a_place_for_it_the_sentence_says_what_to_write() -> None:
    with pytest.raises(ConfigInvalid, match=r"keys: \['\$\{file:session.key\}'\]"):
        own_key("shop", {})
