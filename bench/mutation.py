"""How much the tests would notice: ``python -m bench.mutation [--files circuit.py …] [--json]``.

Changes the pure state machines of calls that leave, one small change at a time, and runs the unit
tests that reach it: a change that every test accepts has survived. The work is mutmut's; to its
own changes three are added: a statement that does nothing, a result that is None, and a condition
that is the other way round. It works on a copy of a commit in a temporary folder, so nobody sees
a changed file.

Needs the development dependencies and ``pip install mutmut==3.8.1``. Exits with 1 below 90 %.
"""

import argparse
import ast
import collections
import difflib
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

OUTBOUND = "src/mainstay/service/outbound"
FILES = (
    *(
        f"{OUTBOUND}/{name}.py"
        for name in (
            "breaker/breaker", "breaker/circuit", "breaker/window", "bulkhead", "course",
            "failure", "fallback", "hedge", "latency", "quantity", "ratelimit", "retry/backoff",
            "retry/budget", "retry/retry", "retry/retry_after",
        )
    ),
    "src/mainstay/core/deadline.py",
    "src/mainstay/core/scope.py",
)  # fmt: skip
TESTS = (
    "tests/core/test_deadline.py",
    "tests/core/test_edges_deadline.py",
    *(
        f"tests/service/outbound/{name}.py"
        for name in (
            "breaker/test_circuit", "breaker/test_edges_circuit", "breaker/test_edges_window",
            "breaker/test_window", "retry/test_backoff", "retry/test_budget",
            "retry/test_edges_retry", "retry/test_retry_after", "shells/test_hedging",
            "test_bulkhead", "test_course", "test_decisions", "test_edges_bulkhead",
            "test_edges_course", "test_edges_course_circuits", "test_edges_fallback",
            "test_edges_options", "test_edges_quantity", "test_events", "test_further_attempts",
            "test_latency", "test_made_by_hand", "test_policy_changes",
            "test_policy_fallback", "test_policy_forms", "test_policy_rejections",
            "test_policy_retry", "test_policy_time", "test_ratelimit",
        )
    ),
)  # fmt: skip
KILLED_MIN = 0.9
RUN_S_MAX = 3600
MUTMUT = "3.8.1"
"""The added changes reach into mutmut, so another version may not take them."""

# One process, no random order: a survivor must survive the next time too.
CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
pytest_add_cli_args = ["-p", "no:randomly", "-p", "no:cacheprovider", "--timeout=60"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
track_dependencies = false
"""

RUN = """
import sys
import libcst as cst
from mutmut.__main__ import cli
from mutmut.mutation.mutators import mutation_operators

NONE = cst.Name("None")

def nothing(node):
    if not isinstance(node.value, cst.BaseString | cst.Ellipsis | cst.Yield | cst.Await):
        yield node.with_changes(value=NONE)

def no_result(node):
    if node.value is not None and not node.value.deep_equals(NONE):
        yield node.with_changes(value=NONE)

def the_other_way_round(node):
    parens = {"lpar": [cst.LeftParen()], "rpar": [cst.RightParen()]}
    test = node.test.with_changes(**parens)
    yield node.with_changes(test=cst.UnaryOperation(operator=cst.Not(), expression=test))

mutation_operators += [
    (cst.Expr, nothing), (cst.Return, no_result), (cst.If, the_other_way_round),
]
sys.argv = ["mutmut", "run", "--max-children", "1"]
cli()
"""

# How mutmut notes it: pytest's exit code, one of its own, or the signal that cut a run off.
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test"}
OUTCOMES |= dict.fromkeys((24, 36, 152, 255, -24), "timeout")


def outcome(code: int | None) -> str:
    """Return killed, timeout, survived, no test, or unclear."""
    return "unclear" if code is None else OUTCOMES.get(code, "unclear")


def main() -> int:
    options = arguments()
    if importlib.util.find_spec("mutmut") is None:
        print(f"mutmut is not installed here: pip install mutmut=={MUTMUT}", file=sys.stderr)
        return 2
    files = [path for path in FILES if not options.files or Path(path).name in options.files]
    if not files:
        print("none of these files is among those that are changed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mainstay-mutation-") as folder:
        copy = Path(folder)
        commit = unpack(options.ref, copy)
        with (copy / "pyproject.toml").open("a") as config:
            config.write(CONFIG.format(files=json.dumps(files), tests=json.dumps(TESTS)))
        log = copy / "mutmut.log"
        with log.open("wb") as output:
            run = [sys.executable, "-c", RUN]
            subprocess.run(
                run, cwd=copy, stdout=output, stderr=output, timeout=RUN_S_MAX, check=False
            )
        found = {path: outcomes(copy, path) for path in files}
        if any(code is None for codes in found.values() for code in codes.values()):
            print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
            print("mutmut did not finish; above is the end of what it said", file=sys.stderr)
            return 2
        left = [line for path in files for line in survivors(copy, path, found[path])]
    return report(commit, found, left, as_json=options.json)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", nargs="*", default=[], help="names, such as circuit.py")
    parser.add_argument("--ref", default="HEAD", help="the commit to change")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def unpack(ref: str, folder: Path) -> str:
    """Unpack what a commit has of source and tests, and return the commit's name."""
    root = Path(__file__).parent.parent
    git = ["git", "-C", str(root)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short", f"{ref}^{{commit}}"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    archive = subprocess.run(
        [*git, "archive", commit, "src", "tests", "pyproject.toml"], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return commit


def outcomes(copy: Path, path: str) -> dict[str, int | None]:
    """Return mutmut's exit code for each change of a file; None: it was not tried."""
    meta = copy / "mutants" / f"{path}.meta"
    if not meta.exists():
        return {path: None}
    codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return codes


def survivors(copy: Path, path: str, codes: dict[str, int | None]) -> Iterator[str]:
    """Yield each survivor as file, line and change."""
    original = functions((copy / path).read_text())
    mutants = functions((copy / "mutants" / path).read_text())
    for key, code in codes.items():
        if outcome(code) in {"killed", "timeout"}:
            continue
        name = key.rpartition(".")[2]
        mangled = name.rpartition("__mutmut_")[0]
        _, was = mutants[f"{mangled}__mutmut_orig"]
        _, now = mutants[name]
        # x_name, or xǁClassǁname.
        plain = mangled.rpartition("ǁ")[2] if "ǁ" in mangled else mangled.removeprefix("x_")
        owner = mangled.split("ǁ")[1] if "ǁ" in mangled else ""
        first, _ = original[f"{owner}.{plain}" if owner else plain]
        yield from changes(path, first, was, now, outcome(code))


def functions(source: str) -> dict[str, tuple[int, list[str]]]:
    """Return the first line and the lines of each function; methods also by ``Class.name``."""
    lines, found = source.splitlines(), {}
    for node in ast.parse(source).body:
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for one in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                body = (one.lineno, lines[one.lineno - 1 : one.end_lineno])
                found[one.name] = found[f"{owner}{one.name}"] = body
    return found


def changes(path: str, first: int, was: list[str], now: list[str], why: str) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(a=was[1:], b=now[1:], autojunk=False)
    for kind, low, high, new_low, new_high in matcher.get_opcodes():
        if kind != "equal":
            old = " ".join(line.strip() for line in was[1 + low : 1 + high])
            new = " ".join(line.strip() for line in now[1 + new_low : 1 + new_high])
            yield f"{path}:{first + 1 + low}: {old}  →  {new}  ({why})"
            return
    yield f"{path}:{first}: {was[0].strip()}  →  {now[0].strip()}  ({why})"


def report(
    commit: str, found: dict[str, dict[str, int | None]], left: list[str], *, as_json: bool
) -> int:
    rows = {
        path: collections.Counter(map(outcome, codes.values())) for path, codes in found.items()
    }
    # A change that makes the tests run for ever was noticed.
    killed = {path: row["killed"] + row["timeout"] for path, row in rows.items()}
    changed = sum(row.total() for row in rows.values())
    share = sum(killed.values()) / max(1, changed)
    if as_json:
        print(json.dumps({"commit": commit, "files": rows, "killed": share, "survivors": left}))
    else:
        print(f"commit {commit}")
        for path, row in rows.items():
            print(f"{path:50} {killed[path]:5} of {row.total():5} killed")
        print(f"{'all':50} {sum(killed.values()):5} of {changed:5} killed, {share:.1%}")
        print(*left, sep="\n")
    return 0 if share >= KILLED_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
