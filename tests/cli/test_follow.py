"""Following log files: the last lines, what comes, and rotation in between."""

from pathlib import Path

from mainstay.cli.follow import LINE_BYTES_MAX, Follower, log_files
from mainstay.cli.logs import as_object


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


def test_every_line_becomes_an_object_that_names_its_replica(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text('{"status": 200}\n[1]\nplain\n' + "[" * 100_000 + "\n")
    objects = [as_object(line) for line in Follower(path=log).more()]
    assert objects[0] == {"status": 200, "log": "web-1"}
    assert objects[1] == {"message": "[1]", "log": "web-1"}
    assert objects[2] == {"message": "plain", "log": "web-1"}
    assert objects[3]["log"] == "web-1"


def test_nothing_that_was_written_is_lost_to_the_name_of_the_log(tmp_path: Path) -> None:
    """Law: the proxy's line says which replica answered; its own field stays as it is."""
    log = tmp_path / "edge.log"
    access = '{"status": 200, "replica": "127.0.0.1:41873"}'
    own = '{"log": "of the app", "n": 1}'
    log.write_text(f"{access}\n{own}\n")
    first, second = (as_object(line) for line in Follower(path=log).more())
    assert first == {"log": "edge", "status": 200, "replica": "127.0.0.1:41873"}
    assert second == {"log": "edge", "message": own}
