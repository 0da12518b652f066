"""The examples of the guides run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from mainstay.service.inbound.problems.problem import Problems
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.load import load_system
from mainstay.spec.perimeter import PROBLEM_TYPES

GUIDES = Path(__file__).parents[4] / "docs" / "guides"
NAMES = ("security-headers.md", "cors.md", "problems.md")


def blocks(name: str, language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", (GUIDES / name).read_text("utf-8"), re.DOTALL)
    assert found, f"{name} has no example in {language}"
    return found


def run(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile("\n".join(blocks(name, "python")), name, "exec"), names)  # noqa: S102  Our own document.
    return names


@pytest.mark.parametrize("name", NAMES)
def test_the_declarations_are_valid(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mainstay.yaml"
    for text in blocks(name, "yaml"):
        file.write_text(text)
        declared = load_system(file, environ={}).system.members[0].declaration
        assert declared.inbound != type(declared.inbound)()


@pytest.mark.parametrize("name", NAMES)
def test_the_code_runs(name: str) -> None:
    assert run(name)


def test_the_page_of_the_guide_has_its_nonce_in_the_policy() -> None:
    app = run("security-headers.md")["app"]
    got: dict[str, str] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        assert status == "200 OK"
        got.update((name.lower(), value) for name, value in headers)

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    body = b"".join(app(environ, start_response)).decode()
    (nonce,) = re.findall(r'nonce="([\w-]+)"', body)
    assert f"script-src 'self' 'nonce-{nonce}'" in got["content-security-policy"]


def test_the_document_of_the_guide_is_of_our_form() -> None:
    (shown,) = blocks("problems.md", "json")
    ours = Problems().render(Refusal.of("rate-limited", "x"), "t", "r").decode()
    assert re.findall(r'"(\w+)": ', shown) == re.findall(r'"(\w+)":', ours)
    assert f'"{PROBLEM_TYPES}rate-limited"' in shown
