"""What `import mainstay` costs: nothing of anybody else's, and next to no time."""

import json
import subprocess
import sys
from pathlib import Path

LOOK = """
import sys, json
before = set(sys.modules)
{statement}
files = {{m: getattr(sys.modules[m], '__file__', None) for m in set(sys.modules) - before}}
print(json.dumps(files))
"""


def loaded_by(statement: str) -> dict[str, str | None]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(statement=statement)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    loaded: dict[str, str | None] = json.loads(done.stdout)
    return loaded


def third_party(loaded: dict[str, str | None]) -> set[str]:
    return {name for name, file in loaded.items() if file and "site-packages" in Path(file).parts}


def test_import_mainstay_loads_next_to_nothing() -> None:
    """Neither our own rooms nor asyncio, so that the time it takes is that of one small file."""
    loaded = loaded_by("import mainstay; mainstay.__version__")
    assert {name for name in loaded if name.startswith("mainstay")} == {"mainstay"}
    assert third_party(loaded) == set()
    assert "asyncio" not in loaded


def test_the_service_plane_stands_on_the_standard_library() -> None:
    """But for orjson, which log lines take where it is installed."""
    loaded = loaded_by("from mainstay import Service, current_trace")
    assert "mainstay.service.service" in loaded
    assert {name.partition(".")[0] for name in third_party(loaded)} <= {"orjson"}
    assert "yaml" not in loaded
