"""How each framework's process begins and ends: once, in order, with nothing lost."""

import json
import signal
from pathlib import Path

import pytest
from tests.contract.frameworks.running import CASES, Case, Running, fresh_name
from tests.system.served import in_background, until

pytestmark = pytest.mark.system

# The other server's way out is in tests/system/test_serve.py.
LEAVING = [case for case in CASES if case.server == "granian"]


@pytest.mark.parametrize("case", LEAVING, ids=lambda case: case.name)
def test_a_process_leaves_in_order(tmp_path: Path, case: Case) -> None:
    """Clients are sent elsewhere, the stream ends whole, the app hears it once."""
    with Running(tmp_path, case) as one:
        one.ready()
        name = fresh_name()
        with one.asked(f"/gate?name={name}") as answer:
            assert answer.read(5) == b"first"
            one.stop(signal.SIGTERM)
            until(lambda: one.answers("/health/ready", 503), "unready")
            assert one.get("/json").headers["connection"] == "close"
            results, join = in_background(lambda: one.get(f"/release?name={name}").status, 1)
            assert answer.read() == b"second"
            join()
        assert results == [200]
        assert one.ended() == 0
    said = [json.loads(line).get("message") for line in one.out.read_text().splitlines()]
    heard = [word for word in said if word in {"startup", "shutdown"}]
    assert heard == (["startup", "shutdown"] if case.has_lifespan else [])
    assert "Traceback" not in one.said()
