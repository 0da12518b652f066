"""A client library that isn't installed is told of in one sentence, and nothing else needs it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mainstay.service.outbound.adapters.part import _EXTRAS

ROOT = Path(__file__).parents[4]

TRY = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from mainstay.core.errors import PartMissing
from mainstay import Bulkhead, Policy
try:
    {statement}
except PartMissing as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("absent", "statement", "sentence"),
    [
        (
            "redis",
            (
                "from mainstay.service.outbound.adapters.redis_clients import redis_client; "
                "redis_client(Policy(bulkhead=Bulkhead()), 'redis://127.0.0.1')"
            ),
            "redis is not installed: pip install 'mainstay[redis]'",
        ),
        (
            "valkey",
            (
                "from mainstay.service.outbound.adapters.redis_clients import async_valkey_client; "
                "async_valkey_client(Policy(bulkhead=Bulkhead()), 'valkey://127.0.0.1')"
            ),
            "valkey is not installed: pip install valkey",
        ),
        (
            "sqlalchemy",
            "import mainstay.service.outbound.adapters.databases",
            "sqlalchemy is not installed: pip install 'mainstay[postgres]'",
        ),
        (
            "psycopg",
            (
                "from mainstay.service.outbound.adapters.databases import sqlalchemy_engine; "
                "sqlalchemy_engine(Policy(bulkhead=Bulkhead()), 'postgresql+psycopg://127.0.0.1/x')"
            ),
            "psycopg is not installed: pip install 'mainstay[postgres]'",
        ),
        (
            "greenlet",
            (
                "from mainstay.service.outbound.adapters.databases import async_sqlalchemy_engine; "
                "async_sqlalchemy_engine(Policy(bulkhead=Bulkhead()), 'postgresql://127.0.0.1/x')"
            ),
            "greenlet is not installed: pip install 'mainstay[postgres]'",
        ),
        (
            "grpc",
            "import mainstay.service.outbound.adapters.grpc_clients",
            "grpc is not installed: pip install 'mainstay[grpc]'",
        ),
    ],
)
def test_a_missing_part_is_named(absent: str, statement: str, sentence: str) -> None:
    code = TRY.format(absent=[absent], statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == sentence


def test_each_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(_EXTRAS.values()) <= set(project["optional-dependencies"])
