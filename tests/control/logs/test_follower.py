"""Following log files: the last lines, what comes, and rotation in between."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.logs import follower as followers
from mainstay.control.logs.backward import LINE_BYTES_MAX, backward
from mainstay.control.logs.follower import MISSED, Follower, log_files


def texts(follower: Follower) -> list[str]:
    return [line.text for line in follower.more()]


def test_tail_is_the_last_lines_and_then_what_comes(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text("one\ntwo\nthree\nhal")
    follower = Follower(path=log)
    assert [line.text for line in follower.tail(2)] == ["two", "three"]
    assert texts(follower) == []
    with log.open("a") as file:
        file.write("f\nfour\n")
    assert texts(follower) == ["half", "four"]


def test_no_line_is_lost_when_the_file_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text("one\n")
    follower = Follower(path=log)
    follower.tail(10)
    with log.open("a") as file:
        file.write("two\nunfinished")
    log.rename(tmp_path / "web-1.log.1")
    log.write_text("three\n")
    assert texts(follower) == ["two", "unfinished", "three"]
    assert texts(follower) == []


def test_a_file_that_appears_is_read_from_its_start(tmp_path: Path) -> None:
    follower = Follower(path=tmp_path / "web-9.log")
    assert texts(follower) == []
    follower.path.write_text("hello\n")
    assert texts(follower) == ["hello"]


def test_a_line_without_an_end_comes_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_bytes(b"x" * (LINE_BYTES_MAX + 1))
    assert sum(map(len, texts(Follower(path=log)))) == LINE_BYTES_MAX + 1


def test_bytes_that_are_no_text_are_shown_and_not_an_error(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_bytes(b"\xff\x00\n")
    assert texts(Follower(path=log)) == ["\\xff\x00"]


def test_names_choose_services_and_replicas(tmp_path: Path) -> None:
    for name in ("web-1", "web-2", "web-shop-1", "edge"):
        (tmp_path / f"{name}.log").touch()
    (tmp_path / "web-1.log.1").touch()

    def found(*names: str) -> list[str]:
        return [path.stem for path in log_files(tmp_path, names)]

    assert found() == ["edge", "web-1", "web-2", "web-shop-1"]
    assert found("web") == ["web-1", "web-2"]
    assert found("web-2", "edge") == ["edge", "web-2"]
    assert found("nobody") == []


def rotate(log: Path) -> None:
    """As the shim does: the oldest of three goes."""
    for age in (2, 1):
        older = log.with_name(f"{log.name}.{age}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{age + 1}"))
    log.rename(log.with_name(f"{log.name}.1"))


def test_what_was_rotated_several_times_between_two_looks_is_read(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text("0\n")
    follower = Follower(path=log)
    assert [line.text for line in follower.tail(10)] == ["0"]
    for number in (1, 2, 3):
        rotate(log)
        log.write_text(f"{number}\n")
    assert texts(follower) == ["1", "2", "3"]


def test_a_file_that_was_deleted_is_read_to_its_end_and_what_is_missing_is_said(
    tmp_path: Path,
) -> None:
    log = tmp_path / "web-1.log"
    log.write_text("0\n")
    follower = Follower(path=log)
    follower.tail(10)
    with log.open("a") as file:
        file.write("last\n")
    for number in range(1, 6):
        rotate(log)
        log.write_text(f"{number}\n")
    assert texts(follower) == ["last", MISSED, "2", "3", "4", "5"]


def test_more_than_one_look_takes_is_read_whole_before_the_next_file(tmp_path: Path) -> None:
    """Law: a writer that is faster than its reader for a while loses no line by a rotation."""
    log = tmp_path / "web-1.log"
    log.touch()
    follower = Follower(path=log)
    follower.tail(0)
    wanted = [f"{number:09d}" + "x" * 90 for number in range(8000)]
    log.write_text("\n".join(wanted[:7000]) + "\n")
    rotate(log)
    log.write_text("\n".join(wanted[7000:]) + "\n")
    looks = [texts(follower)]
    while follower.behind:
        looks.append(texts(follower))
    assert len(looks) > 1
    assert [text for look in looks for text in look] == wanted


def test_a_log_that_was_cut_off_is_read_from_its_start(tmp_path: Path) -> None:
    """Law: the shim cuts a file off that it can't rename."""
    log = tmp_path / "web-1.log"
    log.write_text("a long first line\n")
    follower = Follower(path=log)
    follower.tail(1)
    log.write_text("new\n")
    assert texts(follower) == ["new"]


def test_the_last_lines_are_looked_for_in_older_files(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    for number in range(4):
        if log.exists():
            rotate(log)
        log.write_text("".join(f"{number}-{line}\n" for line in range(100)))
    follower = Follower(path=log)
    found = follower.tail(5, lambda line: line.text.endswith("-50"))
    assert [line.text for line in found] == ["0-50", "1-50", "2-50", "3-50"]
    assert texts(follower) == []
    assert [line.text for line in Follower(path=log).tail(101)][:2] == ["2-99", "3-0"]


@given(
    lines=st.lists(st.binary(max_size=300).map(lambda one: one.replace(b"\n", b"")), max_size=60),
    rest=st.sampled_from([b"", b"unfinished"]),
    times=st.integers(1, 60),
)
def test_backward_is_forward_turned_around(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], rest: bytes, times: int
) -> None:
    """Law: whatever the size of a file and its chunks, the same lines come, the last one first."""
    path = tmp_path_factory.mktemp("log") / "web-1.log"
    many = lines * times
    path.write_bytes(b"".join(one + b"\n" for one in many) + rest)
    with path.open("rb") as file:
        found = list(backward(file.fileno(), path.stat().st_size))
    # Before the first byte there is nothing, which is told as one empty piece.
    assert found == [rest, *reversed(many)] if many else found == [rest]


def test_what_is_kept_of_many_lines_is_bounded_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "KEPT_BYTES_MAX", 1000)
    log = tmp_path / "web-1.log"
    log.write_text("x" * 99 + "\n")
    follower = Follower(path=log)
    assert len(follower.tail(100)) == 1
    assert not follower.cut
    log.write_text(("x" * 99 + "\n") * 50)
    assert len(follower.tail(100)) == 11
    assert follower.cut


def test_how_much_is_looked_through_is_bounded_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "SEARCH_BYTES_MAX", 1000)
    log = tmp_path / "web-1.log"
    log.write_text("wanted\n" + ("x" * 99 + "\n") * 50)
    follower = Follower(path=log)
    assert follower.tail(1, lambda line: line.text == "wanted") == []
    assert follower.cut
