"""Hostile files end in one clear sentence, within a second and 200 MB, in a process of its own."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

SECONDS_MAX = 1.0
PEAK_BYTES_MAX = 200 * 2**20
MIB = 2**20

# Measures processor time, which a busy machine doesn't stretch. The limit of the address space
# makes a peak above it an error; macOS has no such limit, and there the peak itself is compared.
PROGRAM = """
import json, resource, sys, time
if sys.platform != "darwin":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
if sys.argv[3] == "python":
    import yaml
    del yaml.CSafeLoader
from mainstay.core.errors import ConfigInvalid
from mainstay.spec.load import load_system
began_s = time.process_time()
try:
    load_system(sys.argv[1], environ={})
    faults = []
except ConfigInvalid as error:
    faults = [str(fault) for fault in error.faults]
seconds = time.process_time() - began_s
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "faults": faults, "peak_bytes": peak_bytes}))
"""


def bomb() -> bytes:
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]" for above, name in pairwise(names)
    ]
    return "\n".join(lines).encode()


def block() -> bytes:
    return b"".join(b" " * i + b"a:\n" for i in range(1400))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "10 MB of brackets": (lambda: b"[" * 10_000_000, "is larger than"),
    "1 MB of brackets": (lambda: b"[" * MIB, "deeper than 32"),
    "mappings in mappings": (lambda: b"{a: " * (MIB // 4), "deeper than 32"),
    "blocks in blocks": (block, "deeper than 32|is larger than"),
    "alias bomb": (bomb, "aliases counted in full"),
    "10 MB scalar": (lambda: b"service: " + b"x" * 10_000_000, "is larger than"),
    "long scalar": (lambda: b"service: " + b"x" * (MIB - 9), "longer than 65536"),
    "long quoted scalar": (lambda: b'a: "' + b"\\n" * (MIB // 2 - 5) + b'"', "longer than 65536"),
    "random bytes": (lambda: random.Random(7).randbytes(MIB), "not UTF-8|NUL|U\\+"),
    "unknown keys": (lambda: b"".join(b"k%d: 1\n" % i for i in range(24_000)), "unknown key"),
    "long keys": (
        lambda: b"".join(b"k" * 60 + b"%d: 1\n" % i for i in range(14_000)), "unknown key"
    ),
    "one key, often": (lambda: b"service: a\n" * 24_900, "is declared twice"),
    "a long list": (lambda: b"- []\n" * 200_000, "more than 50000"),
    "comments": (lambda: b"#\n" * (MIB // 2), "is empty"),
    "question marks": (lambda: b"? " * (MIB // 2), "deeper than 32"),
    "simple keys": (lambda: b"[" + b"a," * 500_000, "more than 50000"),
    "UTF-16": (lambda: ("a: 1\n" * 80_000).encode("utf-16"), "UTF-16"),
    "a number of many digits": (lambda: b"edge: " + b"9" * 60_000, "expected a whole number"),
    "a version of many digits": (lambda: b"%YAML 1." + b"1" * 6000 + b"\n---\n", "not valid YAML"),
}  # fmt: skip


@pytest.mark.system
@pytest.mark.parametrize("parser", ["libyaml", "python"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_time(tmp_path: Path, name: str, parser: str) -> None:
    make, sentence = HOSTILE[name]
    file = tmp_path / "mainstay.yaml"
    # The parser in Python reads less; it gets as much as it would read.
    file.write_bytes(make() if parser == "libyaml" else make()[: 2**17])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), str(PEAK_BYTES_MAX), parser],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert answer["seconds"] < SECONDS_MAX
    if sys.platform == "darwin":
        assert answer["peak_bytes"] < PEAK_BYTES_MAX
    assert re.search(sentence if parser == "libyaml" else ".", "\n".join(answer["faults"]))


@pytest.mark.system
def test_the_command_ends_in_a_sentence_and_never_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "mainstay.yaml"
    file.write_bytes(b"[" * 10_000_000)
    done = subprocess.run(
        [sys.executable, "-m", "mainstay", "validate", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith(f"{file}:1:1: is larger than")
    assert "Traceback" not in done.stderr
