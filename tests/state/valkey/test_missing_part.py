"""Where hiredis is not installed, the sentence says how to get it."""

import subprocess
import sys

CODE = """
import sys
sys.modules["hiredis"] = None
from mainstay.core.errors import PartMissing
try:
    import mainstay.state.valkey
except PartMissing as error:
    print(error)
"""


def test_a_missing_parser_is_said_in_words() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "Valkey needs hiredis: pip install 'mainstay[redis]'\n"
