"""After a load test: print and write the report, compare it, decide the exit code."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mainstay.control.load import (
    Comparison,
    LoadReport,
    Tolerance,
    compare,
    load_report,
    report_to_json,
)
from mainstay.control.load.text import comparison_text, report_text
from mainstay.core.errors import LoadRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done with the report.

    Attributes:
        baseline: Read before the test, so that a wrong file does not cost its whole time.
        tolerance: Of the comparison.
        failed_max: More failures than this are too many; None: only nothing but failures is.
        output: File that always gets the report.
        save_baseline: File that gets it unless something regressed or it was interrupted.
        as_json: Whether stdout gets JSON, and nothing else.
    """

    baseline: LoadReport | None
    tolerance: Tolerance
    failed_max: int | None
    output: Path | None
    save_baseline: Path | None
    as_json: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Verdict":
        """Return the verdict that the command line asks for. Any: click's values.

        Raises:
            LoadRefused: The baseline is none, or a file could not be written later.
        """
        for path in (options["output"], options["save_baseline"]):
            if path is not None and not os.access(path.parent, os.W_OK):
                raise LoadRefused(f"{path}: its folder does not exist or cannot be written to")
        baseline = options["baseline"]
        return cls(
            baseline=None if baseline is None else load_report(baseline),
            tolerance=Tolerance(share=options["tolerance"], floor_ms=options["floor"] * 1000),
            failed_max=options["max_failed"],
            output=options["output"],
            save_baseline=options["save_baseline"],
            as_json=options["as_json"],
        )

    def tell(self, report: LoadReport) -> int:
        """Print and write everything; return the exit code."""
        comparison = None
        if self.baseline is not None:
            comparison = compare(self.baseline, report, self.tolerance)
        text = report_to_json(report) + "\n"
        if self.as_json:
            click.echo(_with_comparison(text, comparison), nl=False)
        else:
            click.echo(report_text(report), nl=False)
            if comparison is not None:
                click.echo("\n" + comparison_text(comparison), nl=False)
        if self.output is not None:
            _write(self.output, text)
        code = self.code(report, comparison)
        if self.save_baseline is not None:
            if code == 0:
                _write(self.save_baseline, text)
            else:
                click.echo("mainstay: the baseline was not saved", err=True)
        return code

    def code(self, report: LoadReport, comparison: Comparison | None) -> int:
        """Return the exit code, saying on stderr why it is not 0."""
        if report.interrupted:
            return 130
        sentences = []
        if self.failed_max is not None and report.failed > self.failed_max:
            sentences.append(f"{report.failed} requests failed, {self.failed_max} are allowed")
        elif report.failed and report.failed == report.requests:
            sentences.append("every request failed")
        if comparison is not None and comparison.regressed:
            worse = [row.figure for row in comparison.rows if row.regressed]
            sentences.append(f"worse than the baseline: {', '.join(worse)}")
        if sentences:
            click.echo(f"mainstay: {'; '.join(sentences)}", err=True)
        return 1 if sentences else 0


def _with_comparison(text: str, comparison: Comparison | None) -> str:
    if comparison is None:
        return text
    # The report stays readable as a baseline: keys that it does not know are passed over.
    answer = {
        **json.loads(text),
        "comparison": {**asdict(comparison), "regressed": comparison.regressed},
    }
    return json.dumps(answer, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    """Write a report whole or not at all."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LoadRefused(f"{path}: {error.strerror}") from error
