"""The examples of docs/guides/testing.md run as they stand, in their order, as one module."""

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"


def run_guide() -> dict[str, Any]:
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))
    # Dataclasses look up the module that they are in by its name.
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102  Our own document.
    return names


EXAMPLES = re.findall(r"def (test_\w+)\(\)", GUIDE.read_text("utf-8"))


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes(name: str) -> None:
    run_guide()[name]()
