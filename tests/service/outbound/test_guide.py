"""The examples of docs/guides/policies.md run as they stand, in their order, as one module."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstay import Service
from mainstay.spec.load import load_service

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "policies.md").read_text("utf-8")
EXAMPLES = re.findall(r"def (test_\w+)\(\)", GUIDE)


def run_guide() -> dict[str, Any]:
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "policies.md", "exec"), names)  # noqa: S102  Our own document.
    return names


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes(name: str) -> None:
    run_guide()[name]()


def test_the_declaration_of_the_guide_is_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    document = {"service": "shop", "app": "shop:app", **yaml.safe_load(text)}
    (tmp_path / "mainstay.yaml").write_text(yaml.safe_dump(document))
    loaded = load_service(tmp_path, environ={})
    payments = Service(loaded.system.members[0].declaration, environ={}).dependency("payments")
    assert payments.stats().attempt_timeout_s == 0.8
