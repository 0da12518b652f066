"""What serve is told on its command line."""

import pytest

from mainstay.service.inbound.serving.options import parse

WORDS = ["--app", "shop:app", "--port", "8000"]


@pytest.mark.parametrize("said", ["127.0.0.1", "192.0.2.1", "::1", "::"])
def test_an_address_is_taken_as_it_is(said: str) -> None:
    assert parse([*WORDS, "--host", said]).host == said


def test_of_a_name_its_address_is_taken() -> None:
    assert parse([*WORDS, "--host", "localhost"]).host in {"127.0.0.1", "::1"}


def test_what_is_neither_gets_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*WORDS, "--host", "no such host"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "argument --host: not an address, and no name of one: no such host" in said
