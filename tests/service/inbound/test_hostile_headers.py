"""Hostile headers, a small part of what ``bench/fuzz_headers.py`` tries: no exception, no 500."""

import pytest
from bench import header_readers
from bench.fuzz_headers import ask_requests
from bench.header_inputs import SEEDS
from bench.header_readers import READERS, read_values

SEED = 4


def test_no_value_makes_a_reader_fail() -> None:
    assert read_values(SEED, 30_000) == 0


def test_no_request_makes_a_shell_fail() -> None:
    assert ask_requests(SEED, 400) == 0


def test_what_fails_would_be_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And told with the value that made it."""

    def careless(value: bytes) -> None:
        value.decode("ascii")

    monkeypatch.setattr(header_readers, "READERS", {b"accept": careless})
    assert read_values(SEED, 100) > 0
    assert "accept: b" in capsys.readouterr().err


def test_every_header_that_the_wrapper_names_is_among_them() -> None:
    """Readers alone, or whole requests where a reader stands behind others."""
    assert READERS.keys() <= SEEDS.keys()
    assert {b"authorization", b"x-priority", b"x-api-key"} == SEEDS.keys() - READERS.keys()
