"""A client library that isn't installed is told of in one sentence, and nothing else needs it."""

import subprocess
import sys

import pytest

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
            "redis is not installed: pip install redis",
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
            "sqlalchemy is not installed: pip install sqlalchemy",
        ),
        (
            "psycopg",
            (
                "from mainstay.service.outbound.adapters.databases import sqlalchemy_engine; "
                "sqlalchemy_engine(Policy(bulkhead=Bulkhead()), 'postgresql+psycopg://127.0.0.1/x')"
            ),
            "psycopg is not installed: pip install psycopg",
        ),
        (
            "grpc",
            "import mainstay.service.outbound.adapters.grpc_clients",
            "grpc is not installed: pip install grpcio",
        ),
    ],
)
def test_a_missing_part_is_named(absent: str, statement: str, sentence: str) -> None:
    code = TRY.format(absent=[absent], statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == sentence
