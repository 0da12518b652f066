"""Open-loop load with a latency histogram: ``run_load(plan)`` sends, measures and reports."""

from mainstay.control.load.compare import Comparison, Row, Tolerance, compare
from mainstay.control.load.destination import RemoteRefused
from mainstay.control.load.exchange import Failure
from mainstay.control.load.figures import Bucket, Figures
from mainstay.control.load.plan import LoadPlan, PlanInvalid
from mainstay.control.load.recorder import Progress
from mainstay.control.load.report import Generator, LoadReport, Step, TargetReport
from mainstay.control.load.report_json import (
    ReportInvalid,
    load_report,
    report_from_json,
    report_to_json,
)
from mainstay.control.load.run import run_load
from mainstay.control.load.target import Origin, Target, TargetInvalid, parse_expect, target

__all__ = [
    "Bucket",
    "Comparison",
    "Failure",
    "Figures",
    "Generator",
    "LoadPlan",
    "LoadReport",
    "Origin",
    "PlanInvalid",
    "Progress",
    "RemoteRefused",
    "ReportInvalid",
    "Row",
    "Step",
    "Target",
    "TargetInvalid",
    "TargetReport",
    "Tolerance",
    "compare",
    "load_report",
    "parse_expect",
    "report_from_json",
    "report_to_json",
    "run_load",
    "target",
]
