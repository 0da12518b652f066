from pathlib import Path

import pytest

from mainstay.spec.kinds.secret import Secret
from mainstay.spec.reading.files import Unreadable
from mainstay.spec.reading.interpolate import Interpolated, escaped, interpolate, secret_reader

ENVIRON = {"NAME": "shop", "EMPTY": "", "PORT": "8080", "DOLLAR": "${NAME}", "ODD": "\udcff"}


def became(text: str) -> Interpolated:
    return interpolate(text, environ=ENVIRON, read_secret=lambda path: f"<{path}>")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "shop"),
        ("a ${NAME} b ${PORT}", "a shop b 8080"),
        ("${MISSING:-x}", "x"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${MISSING:-a:-b c}", "a:-b c"),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("$NAME and $ alone", "$NAME and $ alone"),
        ("${DOLLAR}", "${NAME}"),
    ],
)
def test_what_a_text_becomes(text: str, value: str) -> None:
    assert became(text).value == value
    assert became(text).sentences == ()


@pytest.mark.parametrize("text", ["${MISSING}", "${}", "${1A}", "${NAME", "${NAME-x}", "${ODD}"])
def test_what_is_wrong(text: str) -> None:
    assert len(became(text).sentences) == 1


def test_every_part_that_is_wrong_is_told() -> None:
    assert len(became("${A} ${B} ${NAME}").sentences) == 2


def test_only_a_text_that_is_one_interpolation_is_whole() -> None:
    assert became("${PORT}").whole
    assert not became("${PORT}0").whole
    assert not became("${PORT}${PORT}").whole
    assert not became("$${PORT}").whole


def test_a_file_makes_a_secret_of_the_whole_text() -> None:
    value = became("user:${file:a/b}@${NAME}").value
    assert isinstance(value, Secret)
    assert value.reveal() == "user:<a/b>@shop"
    assert value.reference == "user:${file:a/b}@${NAME}"


def test_a_file_where_no_secret_may_stand_is_not_read() -> None:
    result = interpolate("${file:x}", environ={}, read_secret=None)
    assert "may not stand here" in result.sentences[0]


def test_many_long_values_do_not_add_up_without_bound() -> None:
    text = "${BIG}" * 10_000
    result = interpolate(text, environ={"BIG": "x" * 60_000}, read_secret=None)
    assert "becomes longer than" in result.sentences[0]


@pytest.mark.parametrize("text", ["${NAME}", "$${", "a${b", "$", "$$", "${${", "plain"])
def test_escaping_is_undone_by_interpolating(text: str) -> None:
    assert became(escaped(text)).value == text


def test_the_file_of_a_secret(tmp_path: Path) -> None:
    read = secret_reader(tmp_path)
    (tmp_path / "a").write_text("x\n\n")
    (tmp_path / "b").write_bytes(b"x\r\n")
    assert read("a") == "x\n"
    assert read("b") == "x"
    assert read(str(tmp_path / "b")) == "x"


def test_what_is_no_file_of_a_secret(tmp_path: Path) -> None:
    read = secret_reader(tmp_path)
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    (tmp_path / "latin").write_bytes(b"\xe9")
    for name, part in (
        ("missing", "no such file"), (".", "not a regular file"), ("large", "64 KiB"),
        ("latin", "not UTF-8"), ("/dev/zero", "not a regular file"), ("", "names no file"),
        ("a\0b", "not a path"), ("x" * 5000, "too long"),
    ):  # fmt: skip
        with pytest.raises(Unreadable, match=part):
            read(name)
