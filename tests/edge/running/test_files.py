import stat
from pathlib import Path

import pytest

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.envoy.resources import Kind, Resources, discovery
from mainstay.edge.running.files import read_discovery, read_text, write_private


def test_a_written_file_is_private_and_replaces_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "cds.json"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path], "no draft is left"


def test_a_draft_that_a_dead_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".cds.json.draft").write_text("half")
    write_private(tmp_path / "cds.json", "whole")
    assert (tmp_path / "cds.json").read_text() == "whole"


def test_a_draft_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".cds.json.draft").symlink_to(victim)
    write_private(tmp_path / "cds.json", "new")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("step", ["open", "fdopen"])
def test_what_cannot_be_written_leaves_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "cds.json"
    path.write_text("old")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"mainstay.edge.running.files.os.{step}", full)
        with pytest.raises(EdgeUnavailable, match="No space left on device"):
            write_private(path, "new")
    assert path.read_text() == "old"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    resources = Resources(clusters=({"name": "a", "size": 0.5}, {"name": "b", "at": [1]})).clusters
    file = discovery(Kind.CLUSTERS, resources)
    write_private(tmp_path / "cds.json", file.text)
    assert read_discovery(tmp_path / "cds.json") == resources
    assert discovery(Kind.CLUSTERS, read_discovery(tmp_path / "cds.json")) == file


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"resources": 1}', b"\xff", b"[" * 100_000, b'{"resources":[1]}'],
)
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cds.json"
    path.write_bytes(content)
    assert read_discovery(path) == ()


def test_a_missing_or_huge_file_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cds.json"
    assert read_text(path) is None
    path.write_text("x" * 11)
    monkeypatch.setattr("mainstay.edge.running.files.READ_BYTES_MAX", 10)
    assert read_text(path) is None
