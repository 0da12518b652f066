"""The public names are those of tests/api.txt: a change of them is a visible difference."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOMS = (
    "mainstay",
    "mainstay.service.outbound.adapters.databases",
    "mainstay.service.outbound.adapters.grpc_clients",
    "mainstay.service.outbound.adapters.http_clients",
    "mainstay.service.outbound.adapters.redis_clients",
    "mainstay.service.outbound.balance",
    "mainstay.telemetry.logs",
    "mainstay.telemetry.masking",
    "mainstay.telemetry.metrics",
    "mainstay.telemetry.reports",
    "mainstay.telemetry.traces",
    "mainstay.testing",
)
"""What guides import from."""

GOLDEN = Path(__file__).with_name("api.txt")


def names() -> list[str]:
    return [f"{room}.{name}" for room in ROOMS for name in sorted(import_module(room).__all__)]


def test_the_public_names_are_those_that_are_written_down() -> None:
    """Run this file as a program to write them anew, and read the difference."""
    assert GOLDEN.read_text("utf-8").splitlines() == names()


def test_each_public_name_is_there() -> None:
    for room in ROOMS:
        module = import_module(room)
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_all_of_mainstay_loads_nothing_of_others() -> None:
    """But orjson, which log lines take where it is installed."""
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom mainstay import *\n"
        "names = {one.partition('.')[0] for one in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names) - {'mainstay', 'orjson'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


if __name__ == "__main__":
    GOLDEN.write_text("".join(f"{name}\n" for name in names()), "utf-8")
