from pathlib import Path

from mainstay.control.processes.logfiles import last_bytes, last_lines, log_files


def test_the_last_lines_cross_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"four\nfive\n")
    (tmp_path / "a.log.1").write_bytes(b"two\nthree\n")
    (tmp_path / "a.log.3").write_bytes(b"one\n")
    assert [path.name for path in log_files(log)] == ["a.log.3", "a.log.1", "a.log"]
    assert last_lines(log) == ("one", "two", "three", "four", "five")
    assert last_lines(log, lines_max=3) == ("three", "four", "five")
    assert last_bytes(log, bytes_max=7) == b"r\nfive\n"


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "a.log") == ()
    assert log_files(tmp_path / "a.log") == ()
